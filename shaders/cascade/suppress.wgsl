// Greedy non-maximum suppression of every list at once: see nms.wgsl, which does it for one.
//
//     keep the best box, drop those whose overlap with it is more than tenths / 10, and repeat
//
// One workgroup a list. Union works on whole pixels in whole numbers, so that an overlap of exactly the threshold is
// told as f64 tells it. Operations: count^2 comparisons and about 12 * count * kept a list.

#include "cascade"

struct Params {
    lists: u32,
    // The threshold: 5 or 7.
    tenths: u32,
    // 0 union of `corners`, 1 the smaller of the two, of `extra`.
    overlap: u32,
    // Slots of all lists: where the second half of `work` begins.
    slots: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// segments: [lists] of Segment
@group(0) @binding(1) var<storage, read> segments: array<Segment>;
// counts: [lists] u32
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;
// boxes: [slots] of Box
@group(0) @binding(3) var<storage, read_write> boxes: array<Box>;
// work: [2, slots] u32: each list's slots by score, and whether the one at a place is dropped
@group(0) @binding(4) var<storage, read_write> work: array<u32>;
// kept: [slots] u32: each list's kept slots, best first
@group(0) @binding(5) var<storage, read_write> kept: array<u32>;
// kept_counts: [lists] u32
@group(0) @binding(6) var<storage, read_write> kept_counts: array<u32>;

override LANES: u32 = 64;

var<workgroup> alive: u32;
var<workgroup> count: u32;

fn overlaps(i: u32, j: u32) -> bool {
    if (p.overlap == 0u) {
        let a = boxes[i].corners;
        let b = boxes[j].corners;
        let extent = vec2<u32>(max(min(a.zw, b.zw) - max(a.xy, b.xy) + 1, vec2(0)));
        let extent_a = vec2<u32>(a.zw - a.xy + 1);
        let extent_b = vec2<u32>(b.zw - b.xy + 1);
        let both = extent.x * extent.y;
        let whole = extent_a.x * extent_a.y + extent_b.x * extent_b.y - both;
        return 10u * both > p.tenths * whole;
    }
    let a = boxes[i].extra;
    let b = boxes[j].extra;
    let extent = max(min(a.zw, b.zw) - max(a.xy, b.xy) + 1.0, vec2(0.0));
    let extent_a = a.zw - a.xy + 1.0;
    let extent_b = b.zw - b.xy + 1.0;
    let smaller = min(extent_a.x * extent_a.y, extent_b.x * extent_b.y);
    return !(10.0 * extent.x * extent.y <= f32(p.tenths) * smaller);
}

@compute @workgroup_size(LANES)
fn suppress(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let list = group.x + group.y * groups.x;
    if (list >= p.lists) {
        return;
    }
    let first = segments[list].first;
    if (thread == 0u) {
        count = min(counts[list], segments[list].capacity);
    }
    let n = workgroupUniformLoad(&count);
    for (var i = thread; i < n; i += LANES) {
        let score = boxes[first + i].score;
        let order = boxes[first + i].order;
        var place = 0u;
        for (var j = 0u; j < n; j++) {
            let other = boxes[first + j].score;
            place += u32(other > score || (other == score && boxes[first + j].order > order));
        }
        work[first + place] = first + i;
        work[p.slots + first + i] = 0u;
    }
    storageBarrier();
    var found = 0u;
    for (var place = 0u; place < n; place++) {
        if (thread == 0u) {
            alive = 1u - work[p.slots + first + place];
        }
        if (workgroupUniformLoad(&alive) == 0u) {
            continue;
        }
        let best = work[first + place];
        if (thread == 0u) {
            kept[first + found] = best;
        }
        found++;
        for (var other = place + 1u + thread; other < n; other += LANES) {
            if (work[p.slots + first + other] == 0u && overlaps(best, work[first + other])) {
                work[p.slots + first + other] = 1u;
            }
        }
        storageBarrier();
    }
    if (thread == 0u) {
        kept_counts[list] = found;
    }
}
