// Batch normalization with the batch's own statistics (Ioffe & Szegedy 2015), its rectifier fused.
//
//     y = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta)
//
// One thread an element. Operations: 6 an element. Bytes: each input read once, y written once.

struct Params {
    elements: u32,
    c: u32,
    epsilon: f32,
    // Bits: 1 relu, 2 gamma.
    flags: u32,
    y_offset: u32,
    y_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements / c, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// moments: [3, c] f32
@group(0) @binding(2) var<storage, read> moments: array<f32>;
// beta: [c] f32
@group(0) @binding(3) var<storage, read> beta: array<f32>;
// gamma: [c] f32
@group(0) @binding(4) var<storage, read> gamma: array<f32>;
// y: [elements / c, c] f32, rows y_stride apart
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

#include "batch_norm_layer"

@compute @workgroup_size(64)
fn batch_norm_train(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let c = at % p.c;
    let z = scaled(normalized(x[at], c), c);
    y[p.y_offset + at / p.c * p.y_stride + c] = select(z, max(z, 0.0), (p.flags & 1u) != 0u);
}
