// What suppression left of a photograph's levels, joined: the largest level first, best first within each.
//
// A level with exactly one candidate hands on the mirrored cell's offsets, as the original does, which flips its maps
// there. One workgroup a photograph. Bytes: 128 a box.

#include "cascade"

struct Params {
    images: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// images: [images] of Image
@group(0) @binding(1) var<storage, read> images: array<Image>;
// segments: [lists] of Segment: the levels'
@group(0) @binding(2) var<storage, read> segments: array<Segment>;
// counts: [lists] u32: candidates before suppression
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;
// kept: [slots] u32
@group(0) @binding(4) var<storage, read_write> kept: array<u32>;
// kept_counts: [lists] u32
@group(0) @binding(5) var<storage, read_write> kept_counts: array<u32>;
// boxes: [slots] of Box
@group(0) @binding(6) var<storage, read_write> boxes: array<Box>;
// merged: [slots] of Box
@group(0) @binding(7) var<storage, read_write> merged: array<Box>;
// merged_counts: [images] u32
@group(0) @binding(8) var<storage, read_write> merged_counts: array<u32>;

@compute @workgroup_size(64)
fn merge(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = group.x + group.y * groups.x;
    if (at >= p.images) {
        return;
    }
    let image = images[at];
    var total = 0u;
    for (var list = image.first_level; list < image.first_level + image.levels; list++) {
        for (var k = thread; k < kept_counts[list]; k += 64u) {
            var found = boxes[kept[segments[list].first + k]];
            if (counts[list] == 1u) {
                found.offsets = found.extra;
            }
            found.order = total + k;
            merged[image.first + total + k] = found;
        }
        total += kept_counts[list];
    }
    if (thread == 0u) {
        merged_counts[at] = total;
    }
}
