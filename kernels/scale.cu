// Multiplication by a constant.
//
//     y = factor * x
//
// One thread four elements where they come in fours, else one. Operations: 1 an element. Bytes: x read once, y written
// once.
// Targets: compute_75
// Hot: scale_fwd_f32 scale_fwd_f16 scale_fwd_bf16

#include "map.cuh"

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
    map::elements(p.elements, y, [&](float x) { return p.factor * x; }, x);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) scale_fwd_##SUFFIX(const Params p, const T *x, T *y) {           \
        scale_fwd(p, x, y);                                                                                            \
    }
EVERY_DTYPE(KERNEL)
