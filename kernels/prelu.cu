// Rectifier with a slope per channel (He et al. 2015, eq. 1).
//
//     y = max(x, 0) + alpha * min(x, 0)
//
// One thread an element. Operations: 2 an element. Bytes: each input read once, y written once.
// Targets: compute_75
// Hot: prelu_fwd_f32 prelu_fwd_f16 prelu_fwd_bf16

#include "common.cuh"

struct Params {
    u32 elements;
    u32 c;
};

template <class T>
__device__ void prelu_fwd(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // alpha: [c] f32
    const float *alpha,
    // y: [elements / c, c] T
    T *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    float value = load(x + at);
    store(y + at, fmaxf(value, 0.0f) + alpha[at % p.c] * fminf(value, 0.0f));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        prelu_fwd_##SUFFIX(const Params p, const T *x, const float *__restrict__ alpha, T *y) {                        \
        prelu_fwd(p, x, alpha, y);                                                                                     \
    }
EVERY_DTYPE(KERNEL)
