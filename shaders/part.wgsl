// A range of a tensor's values; a copy, where the planner could not do without.
//
//     y[i] = x[offset + i]
//
// One thread an element. Operations: 0 an element. Bytes: each value read once, written once.

struct Params {
    elements: u32,
    offset: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [offset + elements or more] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [elements] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn part_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    y[at] = x[p.offset + at];
}
