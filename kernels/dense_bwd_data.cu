// Gradient of a fully connected layer with respect to its input, without tensor cores; with them it is a convolution of
// images of one pixel, with transposed filters.
//
//     dx[row, k] = sum over o of dy[row, o] * w[o, k]
//
// A thread sums four rows of one k; neighbours read neighbouring weights. o ascends: rows do not depend on one another.
// Operations: 2 * rows * c_out * k. Bytes: w read once per four rows, the rest once.
// dense_bwd_data_keep_f32 takes weights that are f32 in every precision.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 rows;
    u32 k;
    u32 c_out;
};

template <class S, class T>
__device__ void dense_bwd_data(
    const Params &p,
    // dy: [rows, c_out] T
    const T *dy,
    // w: [c_out, k] S
    const S *w,
    // dx: [rows, k] T
    T *dx
) {
    u32 k = blockIdx.x * 256 + threadIdx.x;
    u32 first = blockIdx.y * 4;
    if (k >= p.k) {
        return;
    }
    float sums[4] = {};
    for (u32 o = 0; o < p.c_out; o++) {
        float weight = load(w + (u64)o * p.k + k);
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            sums[i] += load(dy + (u64)min(first + i, p.rows - 1) * p.c_out + o) * weight;
        }
    }
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        if (first + i < p.rows) {
            store(dx + (u64)(first + i) * p.k + k, sums[i]);
        }
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        dense_bwd_data_##SUFFIX(const Params p, const T *dy, const T *__restrict__ w, T *dx) {                         \
        dense_bwd_data(p, dy, w, dx);                                                                                  \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        dense_bwd_data_keep_f32_##SUFFIX(const Params p, const T *dy, const float *__restrict__ w, T *dx) {            \
        dense_bwd_data(p, dy, w, dx);                                                                                  \
    }
EVERY_DTYPE(KERNEL)
