// The faces of all photographs side by side, for the host to read.
//
// One workgroup a photograph; best first. Bytes: 80 a face written.

#include "cascade"

struct Params {
    images: u32,
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
// landmarks: [slots, 10] f32
@group(0) @binding(5) var<storage, read_write> landmarks: array<f32>;
// faces_out: [faces, 20] u32: four corners i32, four offsets, score, ten landmarks f32, unused
@group(0) @binding(6) var<storage, read_write> faces_out: array<u32>;

@compute @workgroup_size(64)
fn faces(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let image = group.x + group.y * groups.x;
    if (image >= p.images) {
        return;
    }
    var before = 0u;
    for (var other = 0u; other < image; other++) {
        before += kept_counts[other];
    }
    for (var k = thread; k < kept_counts[image]; k += 64u) {
        let slot = kept[segments[image].first + k];
        let b = boxes[slot];
        let to = (before + k) * 20u;
        for (var i = 0u; i < 4u; i++) {
            faces_out[to + i] = bitcast<u32>(b.corners[i]);
            faces_out[to + 4u + i] = bitcast<u32>(b.offsets[i]);
        }
        faces_out[to + 8u] = bitcast<u32>(b.score);
        for (var i = 0u; i < 10u; i++) {
            faces_out[to + 9u + i] = bitcast<u32>(landmarks[slot * 10u + i]);
        }
    }
}
