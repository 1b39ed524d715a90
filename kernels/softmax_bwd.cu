// The gradient of exponentials over their sum.
//
//     dx = y (dy - sum(y dy)) over the last axis
//
// One warp a row; lane i takes elements i, i + 32, .., and a tree of fixed shape adds the lanes' partial sums.
// Operations: 4 an element. Bytes: each input read once or, from the cache, twice; dx written once.
// Targets: compute_75
// Hot: softmax_bwd_f32 softmax_bwd_f16 softmax_bwd_bf16

#include "common.cuh"

struct Params {
    u32 rows;
    u32 c;
};

template <class T>
__device__ void softmax_bwd(
    const Params &p,
    // y: [rows, c] T
    const T *y,
    // dy: [rows, c] T
    const T *dy,
    // dx: [rows, c] T
    T *dx
) {
    u32 row;
    u32 lane;
    if (!warp_row(p.rows, row, lane)) {
        return;
    }
    u64 base = (u64)row * p.c;
    float dot = 0.0f;
    for (u32 i = lane; i < p.c; i += 32) {
        dot += load(y + base + i) * load(dy + base + i);
    }
    dot = warp_sum(dot);
    for (u32 i = lane; i < p.c; i += 32) {
        store(dx + base + i, load(y + base + i) * (load(dy + base + i) - dot));
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        softmax_bwd_##SUFFIX(const Params p, const T *y, const T *dy, T *dx) {                                         \
        softmax_bwd(p, y, dy, dx);                                                                                     \
    }
EVERY_DTYPE(KERNEL)
