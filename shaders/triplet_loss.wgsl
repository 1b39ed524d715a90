// FaceNet's triplet loss (Schroff et al. 2015, eq. 3).
//
//     y = mean over rows of max(|anchor - positive|^2 - |anchor - negative|^2 + margin, 0)
//
// One thread a row, summed from its first element on, then one workgroup joins what they give by a tree of fixed shape.
// Operations: 6 an element. Bytes: each input read once.

struct Params {
    rows: u32,
    d: u32,
    margin: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// anchor: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> anchor: array<f32>;
// positive: [rows, d] f32
@group(0) @binding(2) var<storage, read_write> positive: array<f32>;
// negative: [rows, d] f32
@group(0) @binding(3) var<storage, read_write> negative: array<f32>;
// partial: [rows] f32
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;
// y: [1] f32
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

#include "rows_mean"

@compute @workgroup_size(64)
fn triplet_loss_fwd_partial(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    var near = 0.0;
    var far = 0.0;
    for (var i = row * p.d; i < (row + 1u) * p.d; i++) {
        near += (anchor[i] - positive[i]) * (anchor[i] - positive[i]);
        far += (anchor[i] - negative[i]) * (anchor[i] - negative[i]);
    }
    let loss = near - far + p.margin;
    // Not a number stays so.
    partial[row] = select(loss, 0.0, loss <= 0.0);
}
