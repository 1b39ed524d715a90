// Boxes made square around their centres (`rerec` of the original MTCNN).
//
//     side = max(width, height); corner = corner + extent / 2 - side / 2; corner and corner + side
//
// One thread a row; halving is exact, so that nothing changes where it is fused with a sum. Operations: 12 a row.
// Bytes: each input read once, y written once.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 rows;
};

extern "C" __global__ void __launch_bounds__(256) rerec_fwd_f32(
    const Params p,
    // boxes: [rows, 4] f32: x1 y1 x2 y2
    const float4 *boxes,
    // y: [rows, 4] f32
    float4 *y
) {
    u32 row;
    if (!element(p.rows, row)) {
        return;
    }
    float4 box = boxes[row];
    float width = box.z - box.x;
    float height = box.w - box.y;
    float side = fmaxf(width, height);
    float left = box.x + width * 0.5f - side * 0.5f;
    float top = box.y + height * 0.5f - side * 0.5f;
    y[row] = make_float4(left, top, left + side, top + side);
}
