// What suppression left of a photograph's levels, joined: the largest level first, best first within each.
//
// A level with exactly one candidate hands on the mirrored cell's offsets, as the original does, which flips its maps
// there. One block a photograph. Bytes: 128 a box.
// Targets: compute_75
// Hot: merge_f32

#include "cascade/head.cuh"

struct Params {
    u32 images;
};

extern "C" __global__ void __launch_bounds__(256) merge_f32(
    const Params p,
    // images: [images] of Image
    const Image *__restrict__ images,
    // segments: [lists] of Segment: the levels'
    const Segment *__restrict__ segments,
    // counts: [lists] u32: candidates before suppression
    const u32 *counts,
    // kept: [slots] u32
    const u32 *kept,
    // kept_counts: [lists] u32
    const u32 *kept_counts,
    // boxes: [slots] of Box
    const Box *boxes,
    // merged: [slots] of Box
    Box *merged,
    // merged_counts: [images] u32
    u32 *merged_counts
) {
    u32 at = blockIdx.x;
    Image image = images[at];
    u32 total = 0;
    for (u32 list = image.first_level; list < image.first_level + image.levels; list++) {
        for (u32 k = threadIdx.x; k < kept_counts[list]; k += 256) {
            Box found = boxes[kept[segments[list].first + k]];
            if (counts[list] == 1) {
                found.offsets = found.extra;
            }
            found.order = total + k;
            merged[image.first + total + k] = found;
        }
        total += kept_counts[list];
    }
    if (threadIdx.x == 0) {
        merged_counts[at] = total;
    }
}
