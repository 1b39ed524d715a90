// A step of an optimizer for a vector of weights, in place, by TensorFlow's rules with FaceNet's constants:
// see src/ops/optimizer.rs.
//
//     g = rates[1] gradient + decay w for the first weights, rates[1] gradient for the others
//     Adagrad   a += g^2;                  w -= rate g / sqrt(a)
//     Adadelta  a = .9 a + .1 g^2;         u = sqrt(b + 1e-6) / sqrt(a + 1e-6) g;  b = .9 b + .1 u^2;  w -= rate u
//     Adam      a += .1 (g - a);           b += .001 (g^2 - b);                    w -= rate a / (sqrt(b) + .1)
//     RMSProp   a += .1 (g^2 - a);         b = .9 b + rate g / sqrt(a + 1);        w -= b
//     Momentum  a = .9 a + g;              w -= rate (g + .9 a)
//     average -= (1 - rates[2]) (average - w)
//
// Nothing if `finite` is 0. A block takes 1,024 elements, a thread four of them, 256 apart. The rows of the state are
// given one by one, each with the element that it begins at.
// Operations: some 12 an element. Bytes: the gradient read once, each row read and written once.
// Targets: compute_75
// Hot: optimizer_fwd_f32

#include "common.cuh"

struct Params {
    u32 elements;
    u32 decayed;
    float decay;
    // 0 Adagrad, 1 Adadelta, 2 Adam, 3 RMSProp, 4 Momentum.
    u32 kind;
    u32 has_b;
    u32 has_average;
    u32 from_w;
    u32 from_a;
    u32 from_b;
    u32 from_average;
};

// The new weight and slots of one element.
static __device__ __forceinline__ void step(u32 kind, float &w, float &a, float &b, float g, float rate) {
    switch (kind) {
    case 0:
        a += g * g;
        w -= rate * g / sqrtf(a);
        break;
    case 1: {
        a = 0.9f * a + (1.0f - 0.9f) * (g * g);
        float update = sqrtf(b + 1e-6f) / sqrtf(a + 1e-6f) * g;
        b = 0.9f * b + (1.0f - 0.9f) * (update * update);
        w -= rate * update;
        break;
    }
    case 2:
        a += (g - a) * (1.0f - 0.9f);
        b += (g * g - b) * (1.0f - 0.999f);
        w -= rate * a / (sqrtf(b) + 0.1f);
        break;
    case 3:
        a += (g * g - a) * (1.0f - 0.9f);
        b = 0.9f * b + rate * g / sqrtf(a + 1.0f);
        w -= b;
        break;
    default:
        a = 0.9f * a + g;
        w -= rate * (g + 0.9f * a);
    }
}

extern "C" __global__ void __launch_bounds__(256) optimizer_fwd_f32(
    const Params p,
    // gradient: [elements] f32
    const float *gradient,
    // rates: [3] f32
    const float *rates,
    // finite: [1] f32
    const float *finite,
    // w: [elements] f32
    float *w,
    // a: [elements] f32
    float *a,
    // b: [elements] f32, or null
    float *b,
    // average: [elements] f32, or null
    float *average
) {
    if (finite[0] == 0.0f) {
        return;
    }
    float rate = rates[0];
    float factor = rates[1];
    float part = 1.0f - rates[2];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        u64 at = (u64)blockIdx.x * 1024 + i * 256 + threadIdx.x;
        if (at >= p.elements) {
            return;
        }
        float weight = w[p.from_w + at];
        float first = a[p.from_a + at];
        float second = p.has_b != 0 ? b[p.from_b + at] : 0.0f;
        float g = factor * gradient[at] + (at < p.decayed ? p.decay * weight : 0.0f);
        step(p.kind, weight, first, second, g, rate);
        w[p.from_w + at] = weight;
        a[p.from_a + at] = first;
        if (p.has_b != 0) {
            b[p.from_b + at] = second;
        }
        if (p.has_average != 0) {
            float old = average[p.from_average + at];
            average[p.from_average + at] = old - part * (old - weight);
        }
    }
}
