// Rectifier.
//
//     y = max(x, 0)
//
// One thread an element. Operations: 1 an element. Bytes: each input read once, y written once.
// Targets: compute_75
// Hot: relu_fwd_f32 relu_fwd_f16 relu_fwd_bf16

#include "common.cuh"

struct Params {
    u32 elements;
};

template <class T>
__device__ void relu_fwd(
    const Params &p,
    // x: [elements] T
    const T *x,
    // y: [elements] T
    T *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    store(y + at, fmaxf(load(x + at), 0.0f));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) relu_fwd_##SUFFIX(const Params p, const T *x, T *y) {            \
        relu_fwd(p, x, y);                                                                                             \
    }
EVERY_DTYPE(KERNEL)
