// The gradient of center loss.
//
//     dx = 2 dy / elements (features - centers[label]); not a number where the label is no class
//
// One thread an element. Operations: 2 an element. Bytes: the features and the centers that are named read once,
// dx written once.

struct Params {
    elements: u32,
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
// dy: [1] f32
@group(0) @binding(4) var<storage, read_write> dy: array<f32>;
// dx: [elements / d, d] f32
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

#include "label"

@compute @workgroup_size(64)
fn center_loss_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let label = labels[at / p.d];
    if (is_row(label, p.classes)) {
        dx[at] = 2.0 * dy[0] / f32(p.elements) * (features[at] - centers[u32(label) * p.d + at % p.d]);
    } else {
        dx[at] = not_a_number(p.d);
    }
}
