// The mean norm of rows.
//
//     y = mean over rows of (sum (|x| + epsilon)^p)^(1/p)
//
// One warp a row, then one block joins what they give: trees of fixed shape. Operations: 3 an element, and a power.
// Bytes: x read once.
// Targets: compute_75
// Hot: norm_loss_fwd_partial_f32 norm_loss_fwd_total_f32

#include "norm.cuh"

struct Params {
    u32 rows;
    u32 d;
    float p;
    float epsilon;
};

extern "C" __global__ void __launch_bounds__(256) norm_loss_fwd_partial_f32(
    const Params p,
    // x: [rows, d] f32
    const float *x,
    // partial: [rows] f32
    float *partial,
    // y: [1] f32
    float *y
) {
    u32 row;
    u32 lane;
    if (!warp_row(p.rows, row, lane)) {
        return;
    }
    float sum = warp_powers(x + (u64)row * p.d, p.d, lane, p.p, p.epsilon);
    if (lane == 0) {
        partial[row] = power(sum, 1.0f / p.p);
    }
}

extern "C" __global__ void __launch_bounds__(256) norm_loss_fwd_total_f32(
    const Params p,
    // x: [rows, d] f32
    const float *x,
    // partial: [rows] f32
    float *partial,
    // y: [1] f32
    float *y
) {
    float sum = total_sum(p.rows, partial);
    if (threadIdx.x == 0) {
        y[0] = sum / (float)max(p.rows, 1);
    }
}
