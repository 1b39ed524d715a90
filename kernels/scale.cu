// Multiplication by a constant.
//
//     y = factor * x
//
// One thread an element. Operations: 1 an element. Bytes: x read once, y written once.
// Launch: 256 threads, [ceil(elements / 256)].
// Targets: compute_75
// Hot: scale_fwd_f32 scale_fwd_f16 scale_fwd_bf16

#include "common.cuh"

struct Params {
    u32 elements;
    float factor;
};

template <class T>
__device__ void scale_fwd(
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
    store(y + at, p.factor * load(x + at));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) scale_fwd_##SUFFIX(const Params p, const T *x, T *y) {           \
        scale_fwd(p, x, y);                                                                                            \
    }
EVERY_DTYPE(KERNEL)
