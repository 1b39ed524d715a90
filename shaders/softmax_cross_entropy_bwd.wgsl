// The gradient of the cross entropy of a softmax with labels.
//
//     dx = (exp(x - max x) / sum(exp(x - max x)) - [class is label]) dy; not a number where the label is no class
//
// One workgroup a row, which may have 100,000 classes; thread i takes classes i, i + 256, .., and a tree of fixed
// shape joins what they find. Operations: 5 a class. Bytes: the logits read three times, two of them from the cache,
// dx written once.

#include "softmax_row"
// dy: [rows] f32
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;
// dx: [rows, c] f32
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(256)
fn softmax_cross_entropy_bwd(
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
    var factor = not_a_number(p.rows);
    if (is_row(label, p.c)) {
        factor = dy[row];
    }
    for (var i = thread; i < p.c; i += 256u) {
        let hot = select(0.0, 1.0, f32(i) == label);
        dx[base + i] = (exp(logits[base + i] - largest) / sum - hot) * factor;
    }
}
