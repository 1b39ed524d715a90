// Centers of classes following their features, in place.
//
//     centers[l] -= (1 - alfa) sum of (centers[l] - features[i]) over the i with label l
//
// Nothing if `finite` is 0. One thread an element of the features. Those of the first row with a label move its center, and add up all rows with
// that label, in order; the others have nothing to do, so each center is written once. Operations: 2 an element.
// Bytes: the features read once, the centers that are named read and written once; the labels by each thread, from the
// cache.

struct Params {
    rows: u32,
    d: u32,
    classes: u32,
    alfa: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// features: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> features: array<f32>;
// labels: [rows] f32
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
// finite: [1] f32
@group(0) @binding(3) var<storage, read_write> finite: array<f32>;
// centers: [classes, d] f32
@group(0) @binding(4) var<storage, read_write> centers: array<f32>;

#include "label"

@compute @workgroup_size(64)
fn center_update_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.rows * p.d || finite[0] == 0.0) {
        return;
    }
    let row = at / p.d;
    let column = at % p.d;
    let label = labels[row];
    if (!is_row(label, p.classes)) {
        return;
    }
    for (var i = 0u; i < row; i++) {
        if (labels[i] == label) {
            return;
        }
    }
    let center = u32(label) * p.d + column;
    let old = centers[center];
    var sum = 0.0;
    for (var i = row; i < p.rows; i++) {
        if (labels[i] == label) {
            sum += old - features[i * p.d + column];
        }
    }
    centers[center] = old - (1.0 - p.alfa) * sum;
}
