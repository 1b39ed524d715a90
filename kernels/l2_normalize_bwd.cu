// The gradient of division by the Euclidean norm.
//
//     dx = dy / norm - x (x . dy) / norm^3 over the last axis, norm = sqrt(max(sum(x^2), epsilon));
//     without the second term where the sum is below epsilon
//
// One warp a row; lane i takes elements i, i + 32, .., and a tree of fixed shape adds the lanes' partial sums.
// Operations: 8 an element. Bytes: each input read once or, from the cache, twice; dx written once.
// Targets: compute_75
// Hot: l2_normalize_bwd_f32 l2_normalize_bwd_f16 l2_normalize_bwd_bf16

#include "common.cuh"

struct Params {
    u32 rows;
    u32 d;
    float epsilon;
};

template <class T>
__device__ void l2_normalize_bwd(
    const Params &p,
    // x: [rows, d] T
    const T *x,
    // dy: [rows, d] T
    const T *dy,
    // dx: [rows, d] T
    T *dx
) {
    u32 row;
    u32 lane;
    if (!warp_row(p.rows, row, lane)) {
        return;
    }
    u64 base = (u64)row * p.d;
    float square = 0.0f;
    float dot = 0.0f;
    for (u32 i = lane; i < p.d; i += 32) {
        float value = load(x + base + i);
        square += value * value;
        dot += value * load(dy + base + i);
    }
    square = warp_sum(square);
    dot = warp_sum(dot);
    float norm = sqrtf(fmaxf(square, p.epsilon));
    float along = square < p.epsilon ? 0.0f : dot / square;
    for (u32 i = lane; i < p.d; i += 32) {
        store(dx + base + i, (load(dy + base + i) - load(x + base + i) * along) / norm);
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        l2_normalize_bwd_##SUFFIX(const Params p, const T *x, const T *dy, T *dx) {                                    \
        l2_normalize_bwd(p, x, dy, dx);                                                                                \
    }
EVERY_DTYPE(KERNEL)
