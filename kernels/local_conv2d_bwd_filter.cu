// Gradient of a locally connected layer with respect to its filters.
//
//     dw[p, o, tap, c] = sum over images of dy[image, p, o] * x[image, p + tap, c]
//
// One thread an element of four outputs' filters. Operations: 2 * n an element. Bytes: dw written once, which is the bound
// for few images.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 n;
    u32 h;
    u32 w;
    u32 c_in;
    u32 h_out;
    u32 w_out;
    u32 c_out;
    u32 k_h;
    u32 k_w;
    u32 stride_y;
    u32 stride_x;
    // h_out * w_out * ceil(c_out / 4) * k_h * k_w * c_in.
    u32 threads;
};

enum : u32 { OUTPUTS = 4 };

template <class T>
__device__ void local_conv2d_bwd_filter(
    const Params &p,
    // x: [n, h, w, c_in] T
    const T *x,
    // dy: [n, h_out, w_out, c_out] T
    const T *dy,
    // dw: [h_out, w_out, c_out, k_h, k_w, c_in] f32
    float *dw
) {
    u32 at;
    if (!element(p.threads, at)) {
        return;
    }
    u32 filter = p.k_h * p.k_w * p.c_in;
    u32 fours = (p.c_out + OUTPUTS - 1) / OUTPUTS;
    u32 four = at / filter;
    u32 k = at - four * filter;
    u32 tap = k / p.c_in;
    u32 place = four / fours;
    u32 o = (four - place * fours) * OUTPUTS;
    u32 iy = place / p.w_out * p.stride_y + tap / p.k_w;
    u32 ix = place % p.w_out * p.stride_x + tap % p.k_w;
    const T *pixel = x + (u64)(iy * p.w + ix) * p.c_in + k % p.c_in;
    const T *outputs[OUTPUTS];
#pragma unroll
    for (u32 i = 0; i < OUTPUTS; i++) {
        // Outputs past the last are the last once more, and not kept.
        outputs[i] = dy + (u64)place * p.c_out + min(o + i, p.c_out - 1);
    }
    float sums[OUTPUTS] = {};
    for (u32 image = 0; image < p.n; image++) {
        float value = load(pixel + (u64)image * p.h * p.w * p.c_in);
#pragma unroll
        for (u32 i = 0; i < OUTPUTS; i++) {
            sums[i] += load(outputs[i] + (u64)image * p.h_out * p.w_out * p.c_out) * value;
        }
    }
#pragma unroll
    for (u32 i = 0; i < OUTPUTS; i++) {
        if (o + i < p.c_out) {
            dw[((u64)place * p.c_out + o + i) * filter + k] = sums[i];
        }
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        local_conv2d_bwd_filter_##SUFFIX(const Params p, const T *x, const T *dy, float *dw) {                         \
        local_conv2d_bwd_filter(p, x, dy, dw);                                                                         \
    }
EVERY_DTYPE(KERNEL)
