// Gradient of the mean over a sliding window.
//
//     dx[i] = sum over the windows that cover i of dy[window] / pixels of the window within the image
//
// One thread an element of x, channels innermost. Operations: k_h * k_w an output. Bytes: dy read once (through the
// cache), dx written once.

#include "pool2d_bwd"
// dy: [n, h_out, w_out, c] f32
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
// dx: [n, h, w, c] f32
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn avg_pool2d_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let own = element(at);
    var sum = 0.0;
    for (var oy = own.rows.x; oy < own.rows.y; oy++) {
        let y = within(oy, p.pad_y, p.k_h, p.stride_y, p.h);
        for (var ox = own.columns.x; ox < own.columns.y; ox++) {
            let x = within(ox, p.pad_x, p.k_w, p.stride_x, p.w);
            sum += dy[output_of(own, oy, ox)] / f32((y.y - y.x) * (x.y - x.x));
        }
    }
    dx[at] = sum;
}
