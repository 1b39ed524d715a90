// Gradient of a fully connected layer with respect to its input.
//
//     dx[row, k] = sum over o of dy[row, o] * w[o, k]
//
// A thread sums four rows of one k; the rows are the same for all threads of a workgroup, the k neighbours, so weights
// stream through once for every four rows. o ascends: rows do not depend on one another.
// Operations: 2 * rows * c_out * k. Bytes: w read once per four rows, the rest once.

struct Params {
    rows: u32,
    k: u32,
    c_out: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// dy: [rows, c_out] f32
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
// w: [c_out, k] f32
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
// dx: [rows, k] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn dense_bwd_data(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.y + group.z * groups.y) * 4u;
    let k = group.x * 64u + lane;
    if (first >= p.rows || k >= p.k) {
        return;
    }
    var base = array<u32, 4>();
    for (var i = 0u; i < 4u; i++) {
        base[i] = min(first + i, p.rows - 1u) * p.c_out;
    }
    var sums = vec4(0.0);
    for (var o = 0u; o < p.c_out; o++) {
        sums += vec4(dy[base[0] + o], dy[base[1] + o], dy[base[2] + o], dy[base[3] + o]) * w[o * p.k + k];
    }
    for (var i = 0u; i < 4u; i++) {
        if (first + i < p.rows) {
            dx[(first + i) * p.k + k] = sums[i];
        }
    }
}
