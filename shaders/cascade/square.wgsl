// The kept boxes of every photograph moved by their offsets, made square, and cut to whole pixels: the next network's
// crops.
//
//     moved = corners + offsets * extent; side = max(width, height); centre kept; truncated towards zero
//
// The original does this in f64. Here whole pixels stay whole, and only the small movement is a float: the sum of the
// two is then cut without ever being rounded, and is as exact as the offsets are.
// One workgroup a photograph. Operations: 30 a box.

#include "cascade"

struct Params {
    images: u32,
    // Whether a box's last pixel counts into its extent.
    inclusive: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// segments: [images] of Segment: the photographs'
@group(0) @binding(1) var<storage, read> segments: array<Segment>;
// kept: [slots] u32
@group(0) @binding(2) var<storage, read_write> kept: array<u32>;
// kept_counts: [images] u32
@group(0) @binding(3) var<storage, read_write> kept_counts: array<u32>;
// boxes: [slots] of Box
@group(0) @binding(4) var<storage, read_write> boxes: array<Box>;
// squares: [slots] of Box
@group(0) @binding(5) var<storage, read_write> squares: array<Box>;

// trunc(halves / 2 + movement).
fn truncated(halves: i32, movement: f32) -> i32 {
    let rest = movement + f32(halves & 1) * 0.5;
    let whole = floor(rest);
    let down = (halves >> 1u) + i32(whole);
    return select(down, down + 1, down < 0 && rest > whole);
}

fn squared(b: Box) -> vec4<i32> {
    let extent = b.corners.zw - b.corners.xy;
    let moved = b.offsets * vec4<f32>(vec4(extent + i32(p.inclusive), extent + i32(p.inclusive)));
    // Width and height after the movement: whole part and the rest.
    let more = moved.zw - moved.xy;
    let taller = f32(extent.x - extent.y) + (more.x - more.y) < 0.0;
    let longer = select(extent.x, extent.y, taller);
    let longer_more = select(more.x, more.y, taller);
    // corner + extent / 2 - side / 2, in halves of pixels.
    let halves = 2 * b.corners.xy + extent - longer;
    let movement = moved.xy + (more - longer_more) * 0.5;
    return vec4(
        truncated(halves.x, movement.x),
        truncated(halves.y, movement.y),
        truncated(halves.x + 2 * longer, movement.x + longer_more),
        truncated(halves.y + 2 * longer, movement.y + longer_more),
    );
}

@compute @workgroup_size(64)
fn square(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = group.x + group.y * groups.x;
    if (at >= p.images) {
        return;
    }
    let first = segments[at].first;
    for (var k = thread; k < kept_counts[at]; k += 64u) {
        var b = boxes[kept[first + k]];
        b.corners = squared(b);
        b.order = k;
        b.image = at;
        squares[first + k] = b;
    }
}
