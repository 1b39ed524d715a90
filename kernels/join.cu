// Tensors end to end: each begins at a multiple of 64 elements, zeros between.
//
//     join_fwd    y[offset + i] = x[i]: one part, where its producer could not write in place
//     join_gaps   y[i] = 0 for i from gaps[2 g] to gaps[2 g + 1], 64 at most; `elements` is 64 for each gap
//
// One thread an element. Operations: 0 an element. Bytes: each value read once, written once.
// Targets: compute_75
// Hot: join_fwd_f32 join_fwd_f16 join_fwd_bf16 join_gaps_f32 join_gaps_f16 join_gaps_bf16

#include "common.cuh"

struct Params {
    u32 elements;
    u32 offset;
};

template <class T>
__device__ void join_fwd(
    const Params &p,
    // x: [elements] T
    const T *x,
    // y: [offset + elements or more] T
    T *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    y[p.offset + at] = x[at];
}

template <class T>
__device__ void join_gaps(
    const Params &p,
    // gaps: [elements / 64, 2] u32
    const u32 *gaps,
    // y: [the last gap's end or more] T
    T *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u32 to = gaps[at / 64 * 2] + at % 64;
    if (to < gaps[at / 64 * 2 + 1]) {
        store(y + to, 0.0f);
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) join_fwd_##SUFFIX(const Params p, const T *x, T *y) {            \
        join_fwd(p, x, y);                                                                                             \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) join_gaps_##SUFFIX(const Params p, const u32 *gaps, T *y) {      \
        join_gaps(p, gaps, y);                                                                                         \
    }
EVERY_DTYPE(KERNEL)
