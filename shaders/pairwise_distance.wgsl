// Distances between every row of one matrix and every row of another (`facenet.distance`).
//
//     y[i, j] = |a[i] - b[j]|^2, or acos(a[i] . b[j] / (|a[i]| |b[j]|)) / pi
//
// One thread a row, summed from its first element on. Operations: 3 d a pair.
// Bytes: each input read once or, from the cache, a few times; y written once.

struct Params {
    rows: u32,
    // Rows of b, and elements of a row; `rows` counts the pairs.
    m: u32,
    d: u32,
    // 0 squared Euclidean, 1 cosine.
    metric: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// a: [rows / m, d] f32
@group(0) @binding(1) var<storage, read_write> a: array<f32>;
// b: [m, d] f32
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
// y: [rows / m, m] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn pairwise_distance_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let base_a = row / p.m * p.d;
    let base_b = row % p.m * p.d;
    if (p.metric == 0u) {
        var sum = 0.0;
        for (var i = 0u; i < p.d; i++) {
            let difference = a[base_a + i] - b[base_b + i];
            sum += difference * difference;
        }
        y[row] = sum;
        return;
    }
    var dot = 0.0;
    var square_a = 0.0;
    var square_b = 0.0;
    for (var i = 0u; i < p.d; i++) {
        dot += a[base_a + i] * b[base_b + i];
        square_a += a[base_a + i] * a[base_a + i];
        square_b += b[base_b + i] * b[base_b + i];
    }
    let similarity = dot / (sqrt(square_a) * sqrt(square_b));
    y[row] = angle(similarity, dot, square_a, square_b) / 3.14159265358979;
}

// The angle between two vectors, from atan2 of its sine and cosine: acos of WGSL is allowed too large an error.
fn angle(similarity: f32, dot: f32, square_a: f32, square_b: f32) -> f32 {
    let clamped = clamp(similarity, -1.0, 1.0);
    return atan2(sqrt((1.0 - clamped) * (1.0 + clamped)), clamped);
}
