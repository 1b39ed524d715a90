// A range of a tensor's values; a copy, where the planner could not do without.
//
//     y[i] = x[offset + i]
//
// One thread an element. Operations: 0 an element. Bytes: each value read once, written once.
// Targets: compute_75
// Hot: part_fwd_f32 part_fwd_f16 part_fwd_bf16

#include "common.cuh"

struct Params {
    u32 elements;
    u32 offset;
};

template <class T>
__device__ void part_fwd(
    const Params &p,
    // x: [offset + elements or more] T
    const T *x,
    // y: [elements] T
    T *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    y[at] = x[p.offset + at];
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) part_fwd_##SUFFIX(const Params p, const T *x, T *y) {            \
        part_fwd(p, x, y);                                                                                             \
    }
EVERY_DTYPE(KERNEL)
