// Gradient of the maximum over a sliding window.
//
//     dx[i] = sum of dy over the windows of which i is the maximum; of equal maxima the first has it all
//
// One thread an element of x, channels innermost: where the element equals a window's maximum, the elements of the window
// before it are looked at. Operations: k_h * k_w an output. Bytes: each input read once (through the cache), dx written
// once.

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
// x: [n, h, w, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [n, h_out, w_out, c] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// dy: [n, h_out, w_out, c] f32
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;
// dx: [n, h, w, c] f32
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

#include "covering"

@compute @workgroup_size(64)
fn max_pool2d_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
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
        let top = within(oy, p.pad_y, p.k_h, p.stride_y, p.h).x;
        for (var ox = columns.x; ox < columns.y; ox++) {
            let output = ((image * p.h_out + oy) * p.w_out + ox) * p.c + channel;
            if (y[output] != x[at]) {
                continue;
            }
            let of_window = within(ox, p.pad_x, p.k_w, p.stride_x, p.w);
            var first = true;
            for (var jy = top; jy <= iy; jy++) {
                let end = select(of_window.y, ix, jy == iy);
                for (var jx = of_window.x; jx < end; jx++) {
                    first = first && x[((image * p.h + jy) * p.w + jx) * p.c + channel] != x[at];
                }
            }
            if (first) {
                sum += dy[output];
            }
        }
    }
    dx[at] = sum;
}
