// Boxes clipped to the image, and where in a box's crop the image lies (`pad` of the original MTCNN).
//
//     y[row] = dy edy dx edx y ey x ex w h, all 1-based and inclusive
//
// One thread a row. Operations: 20 a row. Bytes: each input read once, y written once.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 rows;
    float width;
    float height;
};

// One axis: first and last in the crop, first and last in the image.
static __device__ __forceinline__ float4 clip(float first, float last, float limit) {
    float extent = last - first + 1.0f;
    float end = last > limit ? limit - last + extent : extent;
    float start = first < 1.0f ? 2.0f - first : 1.0f;
    return make_float4(start, end, fmaxf(first, 1.0f), fminf(last, limit));
}

extern "C" __global__ void __launch_bounds__(256) box_pad_fwd_f32(
    const Params p,
    // boxes: [rows, 4] f32: x1 y1 x2 y2, whole pixels
    const float4 *boxes,
    // y: [rows, 10] f32
    float *y
) {
    u32 row;
    if (!element(p.rows, row)) {
        return;
    }
    float4 box = boxes[row];
    float4 x = clip(box.x, box.z, p.width);
    float4 v = clip(box.y, box.w, p.height);
    float width = box.z - box.x + 1.0f;
    float height = box.w - box.y + 1.0f;
    float columns[10] = {v.x, v.y, x.x, x.y, v.z, v.w, x.z, x.w, width, height};
#pragma unroll
    for (u32 i = 0; i < 10; i++) {
        y[(u64)row * 10 + i] = columns[i];
    }
}
