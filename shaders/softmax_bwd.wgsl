// The gradient of exponentials over their sum.
//
//     dx = y (dy - sum(y dy)) over the last axis
//
// One thread a row, summed from its first element on. Operations: 4 an element.
// Bytes: each input read once or, from the cache, twice; dx written once.

#include "softmax"
// y: [rows, c] f32
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// dy: [rows, c] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// dx: [rows, c] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn softmax_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.c;
    var dot = 0.0;
    for (var i = base; i < base + p.c; i++) {
        dot += y[i] * dy[i];
    }
    for (var i = base; i < base + p.c; i++) {
        dx[i] = y[i] * (dy[i] - dot);
    }
}
