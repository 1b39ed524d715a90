// The mean norm of rows.
//
//     y = mean over rows of (sum (|x| + epsilon)^p)^(1/p)
//
// One thread a row, summed from its first element on, then one workgroup joins what they give by a tree of fixed shape.
// Operations: 3 an element, and a power. Bytes: x read once.

struct Params {
    rows: u32,
    d: u32,
    p: f32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// partial: [rows] f32
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
// y: [1] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

#include "rows_mean"

#include "powers"

@compute @workgroup_size(64)
fn norm_loss_fwd_partial(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row < p.rows) {
        partial[row] = power(powers(row), 1.0 / p.p);
    }
}
