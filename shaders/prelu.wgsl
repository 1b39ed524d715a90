// Rectifier with a slope per channel (He et al. 2015, eq. 1).
//
//     y = max(x, 0) + alpha * min(x, 0)
//
// One thread an element. Operations: 2 an element. Bytes: each input read once, y written once.

struct Params {
    elements: u32,
    c: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements / c, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// alpha: [c] f32
@group(0) @binding(2) var<storage, read> alpha: array<f32>;
// y: [elements / c, c] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn prelu_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    y[at] = max(x[at], 0.0) + alpha[at % p.c] * min(x[at], 0.0);
}
