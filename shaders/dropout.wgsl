// Dropout, with a mask that is a function of seed, stream, step and element.
//
//     y = x / keep where the element's number of [0, 1) is less than keep, else 0
//
// One thread four elements, which one call of Philox serves. Bytes: x read once, y written once.

struct Params {
    elements: u32,
    keep: f32,
    seed_low: u32,
    seed_high: u32,
    purpose: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// step: [1] f32
@group(0) @binding(2) var<storage, read_write> step: array<f32>;
// y: [elements] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

#include "philox"

@compute @workgroup_size(64)
fn dropout_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let four = id.x + id.y * groups.x * 64u;
    let words = philox(four, u32(step[0]));
    for (var i = 0u; i < 4u; i++) {
        let at = 4u * four + i;
        if (at < p.elements) {
            let kept = f32(words[i] >> 8u) * (1.0 / 16777216.0) < p.keep;
            y[at] = select(0.0, x[at] / p.keep, kept);
        }
    }
}
