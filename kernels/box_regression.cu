// Boxes moved by a network's offsets (`bbreg` of the original MTCNN).
//
//     y[corner] = boxes[corner] + offsets[corner] * extent, the box's width for x and height for y
//
// One thread a row; products and sums are rounded one by one, as on the CPU. Operations: 12 a row.
// Bytes: each input read once, y written once.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 rows;
    // Added to the extents: 1 where a box's last pixel counts into it, else 0.
    float one;
};

extern "C" __global__ void __launch_bounds__(256) box_regression_fwd_f32(
    const Params p,
    // boxes: [rows, 4] f32: x1 y1 x2 y2
    const float4 *boxes,
    // offsets: [rows, 4] f32
    const float4 *offsets,
    // y: [rows, 4] f32
    float4 *y
) {
    u32 row;
    if (!element(p.rows, row)) {
        return;
    }
    float4 box = boxes[row];
    float4 offset = offsets[row];
    float width = box.z - box.x + p.one;
    float height = box.w - box.y + p.one;
    y[row] = make_float4(
        __fadd_rn(box.x, __fmul_rn(offset.x, width)), __fadd_rn(box.y, __fmul_rn(offset.y, height)),
        __fadd_rn(box.z, __fmul_rn(offset.z, width)), __fadd_rn(box.w, __fmul_rn(offset.w, height))
    );
}
