// Center loss (Wen et al. 2016).
//
//     y = mean over rows d of (features - centers[label])^2; not a number if a label is no class
//
// A partial sum of 4,096 elements a workgroup, then one workgroup adds them: trees of fixed shape.
// Operations: 3 an element. Bytes: the features and the centers that are named read once.

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
// partial: [pieces] f32
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;
// y: [1] f32
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

#include "partial_sums"

#include "label"

// What element i of the features adds.
fn term(i: u32) -> f32 {
    let label = labels[i / p.d];
    if (!is_row(label, p.classes)) {
        return not_a_number(p.d);
    }
    let difference = features[i] - centers[u32(label) * p.d + i % p.d];
    return difference * difference;
}

// What the sum comes to.
fn result(sum: f32) -> f32 {
    return sum / f32(max(p.elements, 1u));
}
