// The gradient of division by the Euclidean norm.
//
//     dx = dy / norm - x (x . dy) / norm^3 over the last axis, norm = sqrt(max(sum(x^2), epsilon));
//     without the second term where the sum is below epsilon
//
// One thread a row, summed from its first element on. Operations: 8 an element.
// Bytes: each input read once or, from the cache, twice; dx written once.

struct Params {
    rows: u32,
    d: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// dy: [rows, d] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// dx: [rows, d] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn l2_normalize_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.d;
    var square = 0.0;
    var dot = 0.0;
    for (var i = base; i < base + p.d; i++) {
        square += x[i] * x[i];
        dot += x[i] * dy[i];
    }
    let norm = sqrt(max(square, p.epsilon));
    var along = 0.0;
    if (square >= p.epsilon) {
        along = dot / square;
    }
    for (var i = base; i < base + p.d; i++) {
        dx[i] = (dy[i] - x[i] * along) / norm;
    }
}
