// FaceNet's triplet loss (Schroff et al. 2015, eq. 3).
//
//     y = mean over rows of max(|anchor - positive|^2 - |anchor - negative|^2 + margin, 0)
//
// One warp a row, then one block joins what they give: trees of fixed shape. Operations: 6 an element.
// Bytes: each input read once.
// Targets: compute_75
// Hot: triplet_loss_fwd_partial_f32 triplet_loss_fwd_total_f32

#include "block.cuh"

struct Params {
    u32 rows;
    u32 d;
    float margin;
};

extern "C" __global__ void __launch_bounds__(256) triplet_loss_fwd_partial_f32(
    const Params p,
    // anchor: [rows, d] f32
    const float *anchor,
    // positive: [rows, d] f32
    const float *positive,
    // negative: [rows, d] f32
    const float *negative,
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
    u64 base = (u64)row * p.d;
    float near = 0.0f;
    float far = 0.0f;
    for (u32 i = lane; i < p.d; i += 32) {
        float to_positive = anchor[base + i] - positive[base + i];
        float to_negative = anchor[base + i] - negative[base + i];
        near += to_positive * to_positive;
        far += to_negative * to_negative;
    }
    float loss = warp_sum(near) - warp_sum(far) + p.margin;
    if (lane == 0) {
        // Not a number stays so.
        partial[row] = loss <= 0.0f ? 0.0f : loss;
    }
}

extern "C" __global__ void __launch_bounds__(256) triplet_loss_fwd_total_f32(
    const Params p,
    // anchor: [rows, d] f32
    const float *anchor,
    // positive: [rows, d] f32
    const float *positive,
    // negative: [rows, d] f32
    const float *negative,
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
