// A range of channels: what undoes a concatenation.
//
//     y[row, i] = x[row, offset + i]
//
// One thread an element. Operations: 0 an element. Bytes: the range read once, y written once.

struct Params {
    elements: u32,
    // Extent of the range, and of x's last axis.
    c: u32,
    c_in: u32,
    // Where the range begins.
    offset: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements / c, c_in] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [elements / c, c] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn slice_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    y[at] = x[at / p.c * p.c_in + p.offset + at % p.c];
}
