// Gradient of the parametric rectifier with respect to its input.
//
//     dx = dy where x > 0, else alpha * dy
//
// One thread an element. Operations: 2 an element. Bytes: each input read once, dx written once.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 elements;
    u32 c;
};

template <class T>
__device__ void prelu_bwd_data(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // alpha: [c] f32
    const float *alpha,
    // dy: [elements / c, c] T
    const T *dy,
    // dx: [elements / c, c] T
    T *dx
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    float rate = load(x + at) > 0.0f ? 1.0f : alpha[at % p.c];
    store(dx + at, rate * load(dy + at));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) prelu_bwd_data_##SUFFIX(                                         \
        const Params p, const T *x, const float *__restrict__ alpha, const T *dy, T *dx                                \
    ) {                                                                                                                \
        prelu_bwd_data(p, x, alpha, dy, dx);                                                                           \
    }
EVERY_DTYPE(KERNEL)
