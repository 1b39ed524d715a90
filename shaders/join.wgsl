// Tensors end to end: each begins at a multiple of 64 elements, zeros between.
//
//     join_fwd    y[offset + i] = x[i]: one part, where its producer could not write in place
//     join_gaps   y[i] = 0 for i from gaps[2 g] to gaps[2 g + 1], 64 at most; `elements` is 64 for each gap
//
// One thread an element. Operations: 0 an element. Bytes: each value read once, written once.

struct Params {
    elements: u32,
    offset: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements] f32, or gaps: [elements / 64, 2] u32, as bits
@group(0) @binding(1) var<storage, read_write> x: array<u32>;
// y: [offset + elements or more] f32, as bits
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn join_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    y[p.offset + at] = x[at];
}

@compute @workgroup_size(64)
fn join_gaps(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let to = x[at / 64u * 2u] + at % 64u;
    if (to < x[at / 64u * 2u + 1u]) {
        y[to] = 0u;
    }
}
