// Division by the Euclidean norm.
//
//     y = x / sqrt(max(sum(x^2), epsilon)) over the last axis
//
// One warp a row; lane i takes elements i, i + 32, .., and a tree of fixed shape adds the lanes' partial sums.
// Operations: 3 an element. Bytes: each input read once or, from the cache, a few times; y written once.
// Targets: compute_75
// Hot: l2_normalize_fwd_f32 l2_normalize_fwd_f16 l2_normalize_fwd_bf16

#include "common.cuh"

struct Params {
    u32 rows;
    u32 d;
    float epsilon;
};

template <class T>
__device__ void l2_normalize_fwd(
    const Params &p,
    // x: [rows, d] T
    const T *x,
    // y: [rows, d] T
    T *y
) {
    u32 row;
    u32 lane;
    if (!warp_row(p.rows, row, lane)) {
        return;
    }
    u64 base = (u64)row * p.d;
    float square = 0.0f;
    for (u32 i = lane; i < p.d; i += 32) {
        float value = load(x + base + i);
        square += value * value;
    }
    float norm = sqrtf(fmaxf(warp_sum(square), p.epsilon));
    for (u32 i = lane; i < p.d; i += 32) {
        store(y + base + i, load(x + base + i) / norm);
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) l2_normalize_fwd_##SUFFIX(const Params p, const T *x, T *y) {    \
        l2_normalize_fwd(p, x, y);                                                                                     \
    }
EVERY_DTYPE(KERNEL)
