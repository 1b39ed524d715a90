// Cross entropy of a softmax with labels.
//
//     y = log(sum(exp(x - max x))) + max x - x[label]; not a number where the label is no class
//
// One workgroup a row, which may have 100,000 classes; thread i takes classes i, i + 256, .., and a tree of fixed
// shape joins what they find. Operations: 4 a class. Bytes: the logits read twice, the second time from the cache.

#include "softmax_row"
// y: [rows] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn softmax_cross_entropy_fwd(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.x + group.y * groups.x;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.c;
    let found = softmax_of(base, thread);
    let largest = found.x;
    let sum = found.y;
    let label = labels[row];
    if (thread == 0u) {
        if (is_row(label, p.c)) {
            y[row] = log(sum) + (largest - logits[base + u32(label)]);
        } else {
            y[row] = not_a_number(p.rows);
        }
    }
}
