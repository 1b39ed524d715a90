// Batch normalization with given statistics (Ioffe & Szegedy 2015).
//
//     y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
//
// One thread an element. Operations: 6 an element. Bytes: each input read once, y written once.
// Targets: compute_75
// Hot: batch_norm_fwd_f32 batch_norm_fwd_f16 batch_norm_fwd_bf16

#include "common.cuh"

struct Params {
    u32 elements;
    u32 c;
    float epsilon;
};

template <class T>
__device__ void batch_norm_fwd(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // gamma: [c] f32
    const float *gamma,
    // beta: [c] f32
    const float *beta,
    // mean: [c] f32
    const float *mean,
    // variance: [c] f32
    const float *variance,
    // y: [elements / c, c] T
    T *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u32 c = at % p.c;
    store(y + at, gamma[c] * (load(x + at) - mean[c]) / sqrtf(variance[c] + p.epsilon) + beta[c]);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) batch_norm_fwd_##SUFFIX(                                         \
        const Params p, const T *x, const float *__restrict__ gamma, const float *__restrict__ beta,                   \
        const float *__restrict__ mean, const float *__restrict__ variance, T *y                                       \
    ) {                                                                                                                \
        batch_norm_fwd(p, x, gamma, beta, mean, variance, y);                                                          \
    }
EVERY_DTYPE(KERNEL)
