// Gradient of the parametric rectifier with respect to its input.
//
//     dx = dy where x > 0, else alpha * dy
//
// One thread an element. Operations: 2 an element. Bytes: each input read once, dx written once.

struct Params {
    elements: u32,
    c: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements / c, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// alpha: [c] f32
@group(0) @binding(2) var<storage, read> alpha: array<f32>;
// dy: [elements / c, c] f32
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;
// dx: [elements / c, c] f32
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn prelu_bwd_data(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    dx[at] = select(alpha[at % p.c], 1.0, x[at] > 0.0) * dy[at];
}
