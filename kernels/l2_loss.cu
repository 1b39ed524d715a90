// Half the sum of squares.
//
//     y = sum(x^2) / 2
//
// Blocks take pieces of 4,096 elements, then one block joins what they give: trees of fixed shape.
// Operations: 2 an element. Bytes: x read once. Launch: 256 threads, [ceil(elements / 4096)], then [1].
// Targets: compute_75
// Hot: l2_loss_fwd_parts_f32 l2_loss_fwd_total_f32

#include "block.cuh"

struct Params {
    u32 elements;
    u32 pieces;
};

extern "C" __global__ void __launch_bounds__(256) l2_loss_fwd_parts_f32(
    const Params p,
    // x: [elements] f32
    const float *x,
    // parts: [pieces] f32
    float *parts,
    // y: [1] f32
    float *y
) {
    float sum = piece_sum(p.elements, [=](u32 i) { return x[i] * x[i]; });
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(256) l2_loss_fwd_total_f32(
    const Params p,
    // x: [elements] f32
    const float *x,
    // parts: [pieces] f32
    float *parts,
    // y: [1] f32
    float *y
) {
    float sum = parts_sum(p.pieces, parts);
    if (threadIdx.x == 0) {
        y[0] = 0.5f * sum;
    }
}
