// The gradients of FaceNet's triplet loss.
//
//     dx = 2 dy / rows (to - from) where |anchor - positive|^2 - |anchor - negative|^2 + margin > 0, else 0;
//     negative - positive for the anchor, positive - anchor for the positive, anchor - negative for the negative
//
// One warp a row; lane i takes elements i, i + 32, .., and a tree of fixed shape adds the lanes' partial sums.
// Operations: 8 an element. Bytes: each input read once or, from the cache, twice; dx written once.
// Targets: compute_75
// Hot: triplet_loss_bwd_f32

#include "common.cuh"

struct Params {
    u32 rows;
    u32 d;
    float margin;
    // 0 the anchor's, 1 the positive's, 2 the negative's.
    u32 wrt;
};

extern "C" __global__ void __launch_bounds__(256) triplet_loss_bwd_f32(
    const Params p,
    // anchor: [rows, d] f32
    const float *anchor,
    // positive: [rows, d] f32
    const float *positive,
    // negative: [rows, d] f32
    const float *negative,
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
    float near = 0.0f;
    float far = 0.0f;
    for (u32 i = lane; i < p.d; i += 32) {
        float to_positive = anchor[base + i] - positive[base + i];
        float to_negative = anchor[base + i] - negative[base + i];
        near += to_positive * to_positive;
        far += to_negative * to_negative;
    }
    bool active = warp_sum(near) - warp_sum(far) + p.margin > 0.0f;
    float factor = 2.0f * dy[0] / (float)p.rows;
    const float *to = p.wrt == 0 ? negative : p.wrt == 1 ? positive : anchor;
    const float *from = p.wrt == 0 ? positive : p.wrt == 1 ? anchor : negative;
    for (u32 i = lane; i < p.d; i += 32) {
        dx[base + i] = active ? factor * (to[base + i] - from[base + i]) : 0.0f;
    }
}
