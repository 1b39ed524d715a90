// Crops that R-Net or O-Net takes for faces, appended to their photographs' lists.
//
// One thread a crop; `order` keeps the order among the crops, as in collect_cells.cu. `extra` becomes the moved
// corners, which the last suppression compares. Bytes: about 200 a crop.
// Targets: compute_75
// Hot: collect_crops_f32

#include "cascade/head.cuh"

struct Params {
    // Crops, the first one's place among the boxes of all photographs, photographs.
    u32 crops;
    u32 first;
    u32 images;
    // Where the network's outputs begin in the arena; points of O-Net alone.
    u32 probabilities;
    u32 offsets;
    u32 points;
    u32 has_points;
    float threshold;
};

extern "C" __global__ void __launch_bounds__(256) collect_crops_f32(
    const Params p,
    // arena: [arena] f32; probabilities [crops, 2], offsets [crops, 4], points [crops, 10] within
    const float *arena,
    // images: [images] of Image
    const Image *__restrict__ images,
    // starts: [images + 1] u32: boxes of the photographs before each
    const u32 *__restrict__ starts,
    // squares: [slots] of Box: the crops
    const Box *squares,
    // counts: [images] u32
    u32 *counts,
    // boxes: [slots] of Box
    Box *boxes,
    // landmarks: [slots, 10] f32
    float *landmarks
) {
    u32 crop;
    if (!element(p.crops, crop)) {
        return;
    }
    float score = arena[p.probabilities + (u64)crop * 2 + 1];
    if (!(score > p.threshold)) {
        return;
    }
    u32 index = p.first + crop;
    u32 owner = image_of(starts, p.images, index);
    u32 first = images[owner].first;
    Box found = squares[first + index - starts[owner]];
    const float *at = arena + p.offsets + (u64)crop * 4;
    found.offsets = make_float4(at[0], at[1], at[2], at[3]);
    float width = (float)(found.corners.z - found.corners.x + 1);
    float height = (float)(found.corners.w - found.corners.y + 1);
    // Rounded one by one, as on the CPU.
    found.extra = make_float4(
        __fadd_rn((float)found.corners.x, __fmul_rn(found.offsets.x, width)),
        __fadd_rn((float)found.corners.y, __fmul_rn(found.offsets.y, height)),
        __fadd_rn((float)found.corners.z, __fmul_rn(found.offsets.z, width)),
        __fadd_rn((float)found.corners.w, __fmul_rn(found.offsets.w, height))
    );
    found.score = score;
    found.order = index - starts[owner];
    u32 slot = first + atomicAdd(&counts[owner], 1u);
    boxes[slot] = found;
    if (p.has_points == 1) {
        for (u32 i = 0; i < 10; i++) {
            landmarks[(u64)slot * 10 + i] = arena[p.points + (u64)crop * 10 + i];
        }
    }
}
