// Gradient of the maximum over a sliding window.
//
//     dx[i] = sum of dy over the windows of which i is the maximum; of equal maxima the first has it all
//
// One thread an element of x, channels innermost: where the element equals a window's maximum, the elements of the window
// before it are looked at. Operations: k_h * k_w an output. Bytes: each input read once (through the cache), dx written
// once.

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
fn max_pool2d_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let own = element(at);
    var sum = 0.0;
    for (var oy = own.rows.x; oy < own.rows.y; oy++) {
        let top = within(oy, p.pad_y, p.k_h, p.stride_y, p.h).x;
        for (var ox = own.columns.x; ox < own.columns.y; ox++) {
            let output = output_of(own, oy, ox);
            if (y[output] != x[at]) {
                continue;
            }
            let of_window = within(ox, p.pad_x, p.k_w, p.stride_x, p.w);
            var first = true;
            for (var jy = top; jy <= own.iy; jy++) {
                let end = select(of_window.y, own.ix, jy == own.iy);
                for (var jx = of_window.x; jx < end; jx++) {
                    first = first && x[((own.image * p.h + jy) * p.w + jx) * p.c + own.channel] != x[at];
                }
            }
            if (first) {
                sum += dy[output];
            }
        }
    }
    dx[at] = sum;
}
