// Fully connected layer.
//
//     y[row, o] = act(sum over k of x[row, k] * w[k, o] + b[o])
//
// A thread sums four rows by four channels; the rows are the same for all threads of a workgroup, the channels
// neighbours, so filters stream through once for every four rows. k ascends: rows do not depend on one another.
// Operations: 2 * rows * c_out * k. Bytes: w read once per four rows, the rest once. Few rows: bound by w's bandwidth.

struct Params {
    rows: u32,
    k: u32,
    c_out: u32,
    // Vectors of four in a row of w.
    columns: u32,
    // Bits: 1 bias, 2 relu, 4 prelu.
    flags: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, k] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// w: [k, columns] vec4 of f32: transposed, channels padded with zeros
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
// b: [c_out] f32
@group(0) @binding(3) var<storage, read> b: array<f32>;
// alpha: [c_out] f32
@group(0) @binding(4) var<storage, read> alpha: array<f32>;
// y: [rows, c_out] f32
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

override LANES: u32 = 32;

@compute @workgroup_size(LANES)
fn dense_fwd(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.y + group.z * groups.y) * 4u;
    let column = group.x * LANES + lane;
    if (first >= p.rows || column >= p.columns) {
        return;
    }
    var base = array<u32, 4>();
    var sums = array<vec4<f32>, 4>();
    for (var i = 0u; i < 4u; i++) {
        base[i] = min(first + i, p.rows - 1u) * p.k;
        sums[i] = vec4(0.0);
    }
    for (var k = 0u; k < p.k; k++) {
        let filters = w[k * p.columns + column];
        for (var i = 0u; i < 4u; i++) {
            sums[i] += x[base[i] + k] * filters;
        }
    }
    for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
            let o = column * 4u + j;
            if (first + i >= p.rows || o >= p.c_out) {
                continue;
            }
            var value = sums[i][j];
            if ((p.flags & 1u) != 0u) {
                value += b[o];
            }
            if ((p.flags & 2u) != 0u) {
                value = max(value, 0.0);
            }
            if ((p.flags & 4u) != 0u) {
                value = max(value, 0.0) + alpha[o] * min(value, 0.0);
            }
            y[(first + i) * p.c_out + o] = value;
        }
    }
}
