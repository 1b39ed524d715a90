// Gradient of local response normalization over channels.
//
//     share[j] = dy[j] * x[j] * d[j]^(-beta - 1), d = bias + alpha * sum of x^2 over the window
//     dx[i] = dy[i] * d[i]^-beta - 2 * alpha * beta * x[i] * sum over the window of share[j]
//
// One thread an element in either pass, so that an element's power is taken twice and not once for each of its neighbours.
// Operations: 3 * (2 * radius + 1) + 9 an element. Bytes: x and dy read twice (through the cache), the shares written and
// read, dx written once.

#include "lrn"
// dy: [elements / c, c] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// share: [elements / c, c] f32
@group(0) @binding(3) var<storage, read_write> share: array<f32>;
// dx: [elements / c, c] f32
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn lrn_bwd_shares(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let d = divisor(window(at));
    share[at] = dy[at] * factor(d) * x[at] / d;
}

@compute @workgroup_size(64)
fn lrn_bwd_sums(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let around = window(at);
    var sum = 0.0;
    for (var j = around.x; j < around.y; j++) {
        sum += share[j];
    }
    dx[at] = dy[at] * factor(divisor(around)) - 2.0 * p.alpha * p.beta * x[at] * sum;
}
