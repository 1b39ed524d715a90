// Exponentials over their sum.
//
//     y = exp(x - max x) / sum(exp(x - max x)) over the last axis
//
// One warp a row; lane i takes elements i, i + 32, .., and a tree of fixed shape adds the lanes' partial sums.
// Operations: 4 an element. Bytes: each input read once or, from the cache, a few times; y written once.
// Targets: compute_75
// Hot: softmax_fwd_f32 softmax_fwd_f16 softmax_fwd_bf16

#include "common.cuh"

struct Params {
    u32 rows;
    u32 c;
};

template <class T>
__device__ void softmax_fwd(
    const Params &p,
    // x: [rows, c] T
    const T *x,
    // y: [rows, c] T
    T *y
) {
    u32 row;
    u32 lane;
    if (!warp_row(p.rows, row, lane)) {
        return;
    }
    u64 base = (u64)row * p.c;
    float largest = load(x + base);
    for (u32 i = lane; i < p.c; i += 32) {
        largest = fmaxf(largest, load(x + base + i));
    }
    largest = warp_max(largest);
    float sum = 0.0f;
    for (u32 i = lane; i < p.c; i += 32) {
        sum += expf(load(x + base + i) - largest);
    }
    sum = warp_sum(sum);
    for (u32 i = lane; i < p.c; i += 32) {
        store(y + base + i, expf(load(x + base + i) - largest) / sum);
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) softmax_fwd_##SUFFIX(const Params p, const T *x, T *y) {         \
        softmax_fwd(p, x, y);                                                                                          \
    }
EVERY_DTYPE(KERNEL)
