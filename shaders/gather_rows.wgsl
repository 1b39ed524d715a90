// Rows of a matrix by their numbers.
//
//     y[i] = x[indices[i]]; not a number where there is no such row
//
// One thread an element. Bytes: each row that is named read once, or from the cache; y written once.

struct Params {
    elements: u32,
    rows: u32,
    d: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// indices: [elements / d] f32
@group(0) @binding(2) var<storage, read_write> indices: array<f32>;
// y: [elements / d, d] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

#include "label"

@compute @workgroup_size(64)
fn gather_rows_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let number = indices[at / p.d];
    if (is_row(number, p.rows)) {
        y[at] = x[u32(number) * p.d + at % p.d];
    } else {
        y[at] = not_a_number(p.d);
    }
}
