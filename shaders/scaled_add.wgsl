// Scaled residual connection (Szegedy et al. 2016, section 3.3).
//
//     y = a + scale * b
//
// One thread an element. Operations: 2 an element. Bytes: each input read once, y written once.

struct Params {
    elements: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// a: [elements] f32
@group(0) @binding(1) var<storage, read_write> a: array<f32>;
// b: [elements] f32
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
// y: [elements] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn scaled_add_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    y[at] = a[at] + p.scale * b[at];
}
