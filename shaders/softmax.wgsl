// Exponentials over their sum.
//
//     y = exp(x - max x) / sum(exp(x - max x)) over the last axis
//
// One thread a row, summed from its first element on. Operations: 4 an element.
// Bytes: each input read once or, from the cache, a few times; y written once.

#include "softmax"
// x: [rows, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [rows, c] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn softmax_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.c;
    var largest = x[base];
    for (var i = 1u; i < p.c; i++) {
        largest = max(largest, x[base + i]);
    }
    var sum = 0.0;
    for (var i = 0u; i < p.c; i++) {
        sum += exp(x[base + i] - largest);
    }
    for (var i = 0u; i < p.c; i++) {
        y[base + i] = exp(x[base + i] - largest) / sum;
    }
}
