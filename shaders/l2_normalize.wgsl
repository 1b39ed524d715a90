// Division by the Euclidean norm.
//
//     y = x / sqrt(max(sum(x^2), epsilon)) over the last axis
//
// One thread a row, summed from its first element on. Operations: 3 an element.
// Bytes: each input read once or, from the cache, a few times; y written once.

struct Params {
    rows: u32,
    d: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [rows, d] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn l2_normalize_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.d;
    var square = 0.0;
    for (var i = 0u; i < p.d; i++) {
        square += x[base + i] * x[base + i];
    }
    let norm = sqrt(max(square, p.epsilon));
    for (var i = 0u; i < p.d; i++) {
        y[base + i] = x[base + i] / norm;
    }
}
