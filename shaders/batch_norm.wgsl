// Batch normalization with given statistics (Ioffe & Szegedy 2015).
//
//     y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
//
// One thread an element. Operations: 6 an element. Bytes: each input read once, y written once.

struct Params {
    elements: u32,
    c: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements / c, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// gamma: [c] f32
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
// beta: [c] f32
@group(0) @binding(3) var<storage, read> beta: array<f32>;
// mean: [c] f32
@group(0) @binding(4) var<storage, read> mean: array<f32>;
// variance: [c] f32
@group(0) @binding(5) var<storage, read> variance: array<f32>;
// y: [elements / c, c] f32
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn batch_norm_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let c = at % p.c;
    y[at] = gamma[c] * (x[at] - mean[c]) / sqrt(variance[c] + p.epsilon) + beta[c];
}
