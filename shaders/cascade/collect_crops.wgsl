// Crops that R-Net or O-Net takes for faces, appended to their photographs' lists.
//
// One thread a crop; `order` keeps the order among the crops, as in collect_cells.wgsl. `extra` becomes the moved
// corners, which the last suppression compares. Bytes: about 200 a crop.

#include "cascade"

struct Params {
    // Crops, the first one's place among the boxes of all photographs, photographs.
    crops: u32,
    first: u32,
    images: u32,
    // Where the network's outputs begin in the arena; points of O-Net alone.
    probabilities: u32,
    offsets: u32,
    points: u32,
    has_points: u32,
    threshold: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// arena: [arena] f32; probabilities [crops, 2], offsets [crops, 4], points [crops, 10] within
@group(0) @binding(1) var<storage, read_write> arena: array<f32>;
// images: [images] of Image
@group(0) @binding(2) var<storage, read> images: array<Image>;
// starts: [images + 1] u32: boxes of the photographs before each
@group(0) @binding(3) var<storage, read> starts: array<u32>;
// squares: [slots] of Box: the crops
@group(0) @binding(4) var<storage, read_write> squares: array<Box>;
// counts: [images] u32
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;
// boxes: [slots] of Box
@group(0) @binding(6) var<storage, read_write> boxes: array<Box>;
// landmarks: [slots, 10] f32
@group(0) @binding(7) var<storage, read_write> landmarks: array<f32>;

@compute @workgroup_size(64)
fn collect_crops(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let crop = id.x + id.y * groups.x * 64u;
    if (crop >= p.crops) {
        return;
    }
    let score = arena[p.probabilities + crop * 2u + 1u];
    if (!(score > p.threshold)) {
        return;
    }
    // Empty photographs share their start with the next: the last of them is the one that has boxes.
    let index = p.first + crop;
    var low = 0u;
    var high = p.images;
    while (high - low > 1u) {
        let middle = (low + high) / 2u;
        if (starts[middle] <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    let first = images[low].first;
    var found = squares[first + index - starts[low]];
    let at = p.offsets + crop * 4u;
    found.offsets = vec4(arena[at], arena[at + 1u], arena[at + 2u], arena[at + 3u]);
    let extent = vec2<f32>(found.corners.zw - found.corners.xy + 1);
    found.extra = vec4<f32>(found.corners) + found.offsets * extent.xyxy;
    found.score = score;
    found.order = index - starts[low];
    let slot = first + atomicAdd(&counts[low], 1u);
    boxes[slot] = found;
    if (p.has_points == 1u) {
        for (var i = 0u; i < 10u; i++) {
            landmarks[slot * 10u + i] = arena[p.points + crop * 10u + i];
        }
    }
}
