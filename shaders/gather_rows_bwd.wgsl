// The gradient of rows by their numbers.
//
//     dx[r] = sum of dy[i] over the i with indices[i] = r
//
// One thread an element of dx, which adds the rows of dy in order. Operations: 1 an element of dy.
// Bytes: dy read once, the indices by each thread, from the cache; dx written once.

struct Params {
    count: u32,
    rows: u32,
    d: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// dy: [count, d] f32
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
// indices: [count] f32
@group(0) @binding(2) var<storage, read_write> indices: array<f32>;
// dx: [rows, d] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn gather_rows_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.rows * p.d) {
        return;
    }
    let row = f32(at / p.d);
    let column = at % p.d;
    var sum = 0.0;
    for (var i = 0u; i < p.count; i++) {
        if (indices[i] == row) {
            sum += dy[i * p.d + column];
        }
    }
    dx[at] = sum;
}
