// Joining along the last axis, one launch for each part; only where no producer could write in place.
//
//     y[row, offset + i] = x[row, i]
//
// One thread an element. Operations: 0 an element. Bytes: each input read once, y written once.

struct Params {
    elements: u32,
    // Extent of the part's last axis, and of the result's.
    c: u32,
    c_out: u32,
    // Where the part begins in the result's last axis.
    offset: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements / c, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [elements / c, c_out] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn concat_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    y[at / p.c * p.c_out + p.offset + at % p.c] = x[at];
}
