// Gradient of batch normalization with respect to its input, through its statistics too.
//
//     dx = gamma / sqrt(variance + epsilon) * (dz - sums[0] / rows - xhat * sums[1] / rows)
//
// See batch_norm.cuh. Operations: 12 an element. Bytes: each input read once, dx written once.
// Targets: compute_75
// Hot: batch_norm_bwd_data_f32 batch_norm_bwd_data_f16 batch_norm_bwd_data_bf16

#include "batch_norm.cuh"

struct Params {
    u32 elements;
    u32 c;
    float epsilon;
    // Bits: 1 relu, 2 gamma.
    u32 flags;
};

// The layer with what its gradient needs of the sums.
struct Gradient : Layer {
    float mean_dz;
    float mean_dz_normalized;

    // `sums`: [2, c] f32.
    __device__ __forceinline__ Gradient(const Layer &layer, const float *sums, u32 at, u32 c, float rows)
        : Layer(layer), mean_dz(sums[at] / rows), mean_dz_normalized(sums[c + at] / rows) {
    }

    __device__ __forceinline__ float dx(float x, float dy) const {
        return gamma * rate * (dz(x, dy) - mean_dz - normalized(x) * mean_dz_normalized);
    }
};

template <class T>
__device__ void batch_norm_bwd_data(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // moments: [3, c] f32
    const float *moments,
    // beta: [c] f32
    const float *beta,
    // gamma: [c] f32
    const float *gamma,
    // sums: [2, c] f32
    const float *sums,
    // dy: [elements / c, c] T
    const T *dy,
    // dx: [elements / c, c] T
    T *dx
) {
    float count = (float)(p.elements / p.c);
    auto gradient = [&](u32 c) {
        return Gradient(Layer(moments, beta, gamma, c, p.c, p.epsilon, p.flags), sums, c, p.c, count);
    };
    if (p.c % 4 == 0) {
        u32 c, row, rows;
        if (!patch(p.elements, p.c, c, row, rows)) {
            return;
        }
        const Gradient of[4] = {gradient(c), gradient(c + 1), gradient(c + 2), gradient(c + 3)};
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            if (row + i < rows) {
                u64 at = (u64)(row + i) * p.c + c;
                float4 in = load4(x + at);
                float4 out = load4(dy + at);
                store4(
                    dx + at,
                    make_float4(
                        of[0].dx(in.x, out.x), of[1].dx(in.y, out.y), of[2].dx(in.z, out.z), of[3].dx(in.w, out.w)
                    )
                );
            }
        }
        return;
    }
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    store(dx + at, gradient(at % p.c).dx(load(x + at), load(dy + at)));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) batch_norm_bwd_data_##SUFFIX(                                    \
        const Params p, const T *x, const float *__restrict__ moments, const float *__restrict__ beta,                 \
        const float *__restrict__ gamma, const float *__restrict__ sums, const T *dy, T *dx                            \
    ) {                                                                                                                \
        batch_norm_bwd_data(p, x, moments, beta, gamma, sums, dy, dx);                                                 \
    }
EVERY_DTYPE(KERNEL)
