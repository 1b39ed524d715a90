// The gradient of the mean norm of rows.
//
//     dx = sign(x) (|x| + epsilon)^(p - 1) s^(1/p - 1) dy / rows, s = sum (|x| + epsilon)^p of the row
//
// One thread a row, summed from its first element on. Operations: 5 an element, and two powers.
// Bytes: x read once and again from the cache, dx written once.

struct Params {
    rows: u32,
    d: u32,
    p: f32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// dy: [1] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// dx: [rows, d] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

#include "powers"

@compute @workgroup_size(64)
fn norm_loss_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let factor = power(powers(row), 1.0 / p.p - 1.0) * (dy[0] / f32(p.rows));
    for (var i = row * p.d; i < (row + 1u) * p.d; i++) {
        dx[i] = sign(x[i]) * power(abs(x[i]) + p.epsilon, p.p - 1.0) * factor;
    }
}
