// The nearest rows of another matrix.
//
//     out[i] = the k rows j of y with the least |x[i] - y[j]|^2, where asked among those of another label: numbers, then
//              distances
//
// A workgroup takes 16 rows of x and a stretch of y, 64 rows at a time, a thread one of them: its distances to the 16 are
// summed from the first element on, from stages of 16 elements in workgroup memory. Then one thread for each row of x puts
// what is nearer than the row's farthest into its list, ascending. A second entry joins the stretches' lists, in order.
// Operations: 3 d a pair. Bytes: y read once for every 16 rows of x.

struct Params {
    m: u32,
    n: u32,
    d: u32,
    k: u32,
    stretches: u32,
    // Rows of y in a stretch, a multiple of 64.
    stretch: u32,
    // Whether rows with the label of x's row are passed over.
    others: u32,
    // How y is stored: 0 in f32, 1 in f16, 2 in int8.
    storage: u32,
    // Words of a row of y.
    pitch: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [m, d] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// labels_x: [m] f32
@group(0) @binding(2) var<storage, read_write> labels_x: array<f32>;
// y: [n, pitch] words: f32; or two f16 in each; or the scale as f32, then four int8 in each
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
// labels_y: [n] f32
@group(0) @binding(4) var<storage, read_write> labels_y: array<f32>;
// lists: [stretches, m, 2 k] f32
@group(0) @binding(5) var<storage, read_write> lists: array<f32>;
// out: [m, 2 k] f32
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

// stage_x: [16 rows, 16] f32
var<workgroup> stage_x: array<f32, 256>;
// stage_y: [64 rows, 17] f32, an odd number to keep rows in different banks; then the distances, [16 rows of x, 64] f32
var<workgroup> stage_y: array<f32, 1088>;
// near, numbers: [64 entries, 16 rows of x] f32
var<workgroup> near: array<f32, 1024>;
var<workgroup> numbers: array<f32, 1024>;

// Infinity, which a constant cannot be.
fn infinity() -> f32 {
    return bitcast<f32>(0x7f800000u | min(p.k, 0u));
}

// What 16 bits of f16 are; `unpack2x16float` is not in every device.
fn half(bits: u32) -> f32 {
    let exponent = (bits >> 10u) & 31u;
    let mantissa = bits & 1023u;
    // 2^-24, and the exponents' biases: infinity has the largest in either.
    var value = f32(mantissa) * 5.9604644775390625e-8;
    if (exponent != 0u) {
        value = bitcast<f32>(((exponent + select(112u, 224u, exponent == 31u)) << 23u) | (mantissa << 13u));
    }
    return select(value, -value, (bits & 0x8000u) != 0u);
}

// An element of y.
fn element_of_y(row: u32, column: u32) -> f32 {
    let begin = row * p.pitch;
    switch (p.storage) {
        case 1u: {
            return half(y[begin + column / 2u] >> (column % 2u * 16u));
        }
        case 2u: {
            let word = bitcast<i32>(y[begin + 1u + column / 4u]);
            return bitcast<f32>(y[begin]) * f32(extractBits(word, column % 4u * 8u, 8u));
        }
        default: {
            return bitcast<f32>(y[begin + column]);
        }
    }
}

// Empties a row's list.
fn clear_list(row: u32) {
    for (var i = 0u; i < p.k; i++) {
        near[i * 16u + row] = infinity();
        numbers[i * 16u + row] = -1.0;
    }
}

// Puts a distance into a row's list where it is nearer than the last; of equal ones the first stays first.
fn insert(row: u32, distance: f32, number: f32) {
    var at = (p.k - 1u) * 16u + row;
    if (distance < near[at]) {
        while (at >= 16u) {
            if (near[at - 16u] <= distance) {
                break;
            }
            near[at] = near[at - 16u];
            numbers[at] = numbers[at - 16u];
            at -= 16u;
        }
        near[at] = distance;
        numbers[at] = number;
    }
}

@compute @workgroup_size(64)
fn nearest_rows_fwd(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first = group.x * 16u;
    let own = first + thread;
    let lists_row = thread < 16u && own < p.m;
    if (lists_row) {
        clear_list(thread);
    }
    let end = min(group.y * p.stretch + p.stretch, p.n);
    for (var start = group.y * p.stretch; start < end; start += 64u) {
        var sums = array<f32, 16>();
        for (var base = 0u; base < p.d; base += 16u) {
            workgroupBarrier();
            for (var i = thread; i < 1024u; i += 64u) {
                let row = start + i / 16u;
                let column = base + i % 16u;
                var value = 0.0;
                if (row < p.n && column < p.d) {
                    value = element_of_y(row, column);
                }
                stage_y[i / 16u * 17u + i % 16u] = value;
            }
            for (var i = thread; i < 256u; i += 64u) {
                let row = first + i / 16u;
                let column = base + i % 16u;
                var value = 0.0;
                if (row < p.m && column < p.d) {
                    value = x[row * p.d + column];
                }
                stage_x[i] = value;
            }
            workgroupBarrier();
            // Zeros past the end of a row add nothing.
            for (var k = 0u; k < 16u; k++) {
                let other = stage_y[thread * 17u + k];
                for (var i = 0u; i < 16u; i++) {
                    let difference = stage_x[i * 16u + k] - other;
                    sums[i] += difference * difference;
                }
            }
        }
        workgroupBarrier();
        for (var i = 0u; i < 16u; i++) {
            stage_y[i * 64u + thread] = sums[i];
        }
        workgroupBarrier();
        if (lists_row) {
            for (var j = 0u; j < min(end - start, 64u); j++) {
                if (p.others == 0u || labels_y[start + j] != labels_x[own]) {
                    insert(thread, stage_y[thread * 64u + j], f32(start + j));
                }
            }
        }
        // The distances are overwritten only after the next stages' barriers.
    }
    if (lists_row) {
        let base = (group.y * p.m + own) * 2u * p.k;
        for (var i = 0u; i < p.k; i++) {
            lists[base + i] = numbers[i * 16u + thread];
            lists[base + p.k + i] = near[i * 16u + thread];
        }
    }
}

@compute @workgroup_size(16)
fn nearest_rows_fwd_join(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = (group.x + group.y * groups.x) * 16u + thread;
    if (row >= p.m) {
        return;
    }
    clear_list(thread);
    for (var stretch = 0u; stretch < p.stretches; stretch++) {
        let base = (stretch * p.m + row) * 2u * p.k;
        for (var i = 0u; i < p.k; i++) {
            insert(thread, lists[base + p.k + i], lists[base + i]);
        }
    }
    for (var i = 0u; i < p.k; i++) {
        out[row * 2u * p.k + i] = numbers[i * 16u + thread];
        out[row * 2u * p.k + p.k + i] = near[i * 16u + thread];
    }
}
