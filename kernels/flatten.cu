// The same values under another shape; a copy, where the planner could not do without.
//
//     y = x
//
// One thread an element. Operations: 0 an element. Bytes: each input read once, y written once.
// Targets: compute_75
// Hot: flatten_fwd_f32 flatten_fwd_f16 flatten_fwd_bf16

#include "common.cuh"

struct Params {
    u32 elements;
};

template <class T>
__device__ void flatten_fwd(
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
    y[at] = x[at];
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) flatten_fwd_##SUFFIX(const Params p, const T *x, T *y) {         \
        flatten_fwd(p, x, y);                                                                                          \
    }
EVERY_DTYPE(KERNEL)
