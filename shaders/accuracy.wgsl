// Which rows are classified as their labels say.
//
//     y = 1 where x[i] < x[label] for the i before the label and x[i] <= x[label] for the others, else 0
//
// One workgroup a row, which may have 100,000 classes; thread i takes classes i, i + 256, ...
// Bytes: the logits read once.

struct Params {
    rows: u32,
    c: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// logits: [rows, c] f32
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
// labels: [rows] f32
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
// y: [rows] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// wrong: how many threads found a class that contradicts.
var<workgroup> wrong: atomic<u32>;

#include "label"

// Not a number is not comparable; compilers may believe that there is none.
fn is_number(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7fffffffu) <= 0x7f800000u;
}

@compute @workgroup_size(256)
fn accuracy_fwd(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.x + group.y * groups.x;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.c;
    if (thread == 0u) {
        atomicStore(&wrong, 0u);
    }
    workgroupBarrier();
    let is_class = is_row(labels[row], p.c);
    let label = select(0u, u32(labels[row]), is_class);
    let own = logits[base + label];
    var right = is_class && is_number(own);
    for (var i = thread; i < p.c; i += 256u) {
        let other = logits[base + i];
        right = right && is_number(other) && (other < own || (other == own && i >= label));
    }
    if (!right) {
        atomicAdd(&wrong, 1u);
    }
    workgroupBarrier();
    if (thread == 0u) {
        y[row] = select(0.0, 1.0, atomicLoad(&wrong) == 0u);
    }
}
