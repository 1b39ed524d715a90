// Center loss (Wen et al. 2016).
//
//     y = mean over rows d of (features - centers[label])^2; not a number if a label is no class
//
// Workgroups take pieces of 4,096 elements, then one workgroup joins what they give: trees of fixed shape.
// Operations: 3 an element. Bytes: the features and the centers that are named read once. Launch: [ceil(elements / 4096), fold], then [1].

struct Params {
    elements: u32,
    pieces: u32,
    d: u32,
    classes: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// features: [elements / d, d] f32
@group(0) @binding(1) var<storage, read_write> features: array<f32>;
// centers: [classes, d] f32
@group(0) @binding(2) var<storage, read_write> centers: array<f32>;
// labels: [elements / d] f32
@group(0) @binding(3) var<storage, read_write> labels: array<f32>;
// parts: [pieces] f32
@group(0) @binding(4) var<storage, read_write> parts: array<f32>;
// y: [1] f32
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

#include "block_sum"

// Whether a number, stored as a float, is that of one of so many rows.
fn is_row(number: f32, count: u32) -> bool {
    return number >= 0.0 && number < f32(count) && number == trunc(number);
}

// Not a number, which a constant cannot be.
fn not_a_number() -> f32 {
    return bitcast<f32>(0x7fc00000u | min(p.d, 0u));
}

// What element i of the features adds.
fn square(i: u32) -> f32 {
    let label = labels[i / p.d];
    if (!is_row(label, p.classes)) {
        return not_a_number();
    }
    let difference = features[i] - centers[u32(label) * p.d + i % p.d];
    return difference * difference;
}

@compute @workgroup_size(256)
fn center_loss_fwd_parts(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let piece = group.x + group.y * groups.x;
    if (piece >= p.pieces) {
        return;
    }
    var sum = 0.0;
    for (var i = piece * 4096u + thread; i < min(piece * 4096u + 4096u, p.elements); i += 256u) {
        sum += square(i);
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        parts[piece] = sum;
    }
}

@compute @workgroup_size(256)
fn center_loss_fwd_total(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var i = thread; i < p.pieces; i += 256u) {
        sum += parts[i];
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        y[0] = sum / f32(max(p.elements, 1u));
    }
}
