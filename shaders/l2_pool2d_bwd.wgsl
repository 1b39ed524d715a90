// Gradient of the Euclidean norm over a sliding window.
//
//     dx[i] = sum over the windows that cover i of dy[window] * x[i] / y[window]; a window of zeros gives 0
//
// One thread an element of x, channels innermost. Operations: 3 * k_h * k_w an output. Bytes: each input read once (through
// the cache), dx written once.

#include "pool2d_bwd"
// x: [n, h, w, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [n, h_out, w_out, c] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// dy: [n, h_out, w_out, c] f32
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;
// dx: [n, h, w, c] f32
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn l2_pool2d_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let own = element(at);
    var sum = 0.0;
    for (var oy = own.rows.x; oy < own.rows.y; oy++) {
        for (var ox = own.columns.x; ox < own.columns.y; ox++) {
            let output = output_of(own, oy, ox);
            let norm = y[output];
            if (norm > 0.0) {
                sum += dy[output] * (x[at] / norm);
            }
        }
    }
    dx[at] = sum;
}
