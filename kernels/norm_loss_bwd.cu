// The gradient of the mean norm of rows.
//
//     dx = sign(x) (|x| + epsilon)^(p - 1) s^(1/p - 1) dy / rows, s = sum (|x| + epsilon)^p of the row
//
// One warp a row; lane i takes elements i, i + 32, .., and a tree of fixed shape adds the lanes' partial sums.
// Operations: 5 an element, and two powers. Bytes: x read once and again from the cache, dx written once.
// Targets: compute_75
// Hot: norm_loss_bwd_f32

#include "norm.cuh"

struct Params {
    u32 rows;
    u32 d;
    float p;
    float epsilon;
};

extern "C" __global__ void __launch_bounds__(256) norm_loss_bwd_f32(
    const Params p,
    // x: [rows, d] f32
    const float *x,
    // dy: [1] f32
    const float *dy,
    // dx: [rows, d] f32
    float *dx
) {
    u32 row;
    u32 lane;
    if (!warp_row(p.rows, row, lane)) {
        return;
    }
    u64 base = (u64)row * p.d;
    float sum = warp_powers(x + base, p.d, lane, p.p, p.epsilon);
    float factor = power(sum, 1.0f / p.p - 1.0f) * (dy[0] / (float)p.rows);
    for (u32 i = lane; i < p.d; i += 32) {
        float value = x[base + i];
        float size = power(fabsf(value) + p.epsilon, p.p - 1.0f) * factor;
        dx[base + i] = value > 0.0f ? size : value < 0.0f ? -size : 0.0f * value;
    }
}
