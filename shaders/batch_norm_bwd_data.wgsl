// Gradient of batch normalization with respect to its input, through its statistics too.
//
//     dx = gamma / sqrt(variance + epsilon) * (dz - sums[0] / rows - xhat * sums[1] / rows)
//
// where xhat is the normalized input, and dz is dy where the activation lets it through.
// One thread an element. Operations: 12 an element. Bytes: each input read once, dx written once.

struct Params {
    elements: u32,
    c: u32,
    epsilon: f32,
    // Bits: 1 relu, 2 gamma.
    flags: u32,
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
// sums: [2, c] f32
@group(0) @binding(5) var<storage, read> sums: array<f32>;
// dy: [elements / c, c] f32
@group(0) @binding(6) var<storage, read_write> dy: array<f32>;
// dx: [elements / c, c] f32
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

#include "batch_norm_layer"

#include "batch_norm_gradient"

@compute @workgroup_size(64)
fn batch_norm_bwd_data(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let c = at % p.c;
    let rows = f32(p.elements / p.c);
    let value = normalized(x[at], c);
    let rest = before(dy[at], value, c) - sums[c] / rows - value * (sums[p.c + c] / rows);
    var rate = 1.0;
    if ((p.flags & 2u) != 0u) {
        rate = gamma[c];
    }
    dx[at] = rate / sqrt(moments[p.c + c] + p.epsilon) * rest;
}
