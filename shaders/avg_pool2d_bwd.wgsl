// Gradient of the mean over a sliding window.
//
//     dx[i] = sum over the windows that cover i of dy[window] / pixels of the window within the image
//
// One thread an element of x, channels innermost. Operations: k_h * k_w an output. Bytes: dy read once (through the
// cache), dx written once.

struct Params {
    h: u32,
    w: u32,
    c: u32,
    h_out: u32,
    w_out: u32,
    k_h: u32,
    k_w: u32,
    stride_y: u32,
    stride_x: u32,
    // Elements of padding before the input.
    pad_y: u32,
    pad_x: u32,
    // n * h * w * c.
    elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// dy: [n, h_out, w_out, c] f32
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
// dx: [n, h, w, c] f32
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

#include "covering"

@compute @workgroup_size(64)
fn avg_pool2d_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let pixel = at / p.c;
    let line = pixel / p.w;
    let channel = at - pixel * p.c;
    let ix = pixel - line * p.w;
    let image = line / p.h;
    let iy = line - image * p.h;
    let rows = covering(iy, p.pad_y, p.k_h, p.stride_y, p.h_out);
    let columns = covering(ix, p.pad_x, p.k_w, p.stride_x, p.w_out);
    var sum = 0.0;
    for (var oy = rows.x; oy < rows.y; oy++) {
        let y = within(oy, p.pad_y, p.k_h, p.stride_y, p.h);
        for (var ox = columns.x; ox < columns.y; ox++) {
            let x = within(ox, p.pad_x, p.k_w, p.stride_x, p.w);
            sum += dy[((image * p.h_out + oy) * p.w_out + ox) * p.c + channel] / f32((y.y - y.x) * (x.y - x.x));
        }
    }
    dx[at] = sum;
}
