// Gradient of a locally connected layer with respect to its input.
//
//     dx[image, i, c] = sum over the windows p that cover i, and o, of dy[image, p, o] * w[p, o, i within p, c]
//
// One thread an element of four images of x, channels innermost, then images: an element of w meets one element of each
// image, and threads that share it are neighbours. Operations: 2 * k_h * k_w * c_in an output. Bytes: w read from memory
// once, which is the bound.

struct Params {
    n: u32,
#include "local_conv2d"
}

@group(0) @binding(0) var<uniform> p: Params;
// dy: [n, h_out, w_out, c_out] f32
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
// w: [h_out, w_out, c_out, k_h, k_w, c_in] f32
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
// dx: [n, h, w, c_in] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

#include "local_conv2d_dy"

@compute @workgroup_size(64)
fn local_conv2d_bwd_data(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    let fours = (p.n + 3u) / 4u;
    if (at >= fours * p.h * p.w * p.c_in) {
        return;
    }
    let row = at / p.c_in;
    let c = at - row * p.c_in;
    let pixel = row / fours;
    let four = row - pixel * fours;
    let iy = pixel / p.w;
    let ix = pixel - iy * p.w;
    // Images past the last are the last once more, and not kept.
    let images = four * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    let outputs = min(images, vec4<u32>(p.n - 1u)) * (p.h_out * p.w_out * p.c_out);
    let first_y = select(0u, (iy + p.stride_y - p.k_h) / p.stride_y, iy >= p.k_h);
    let first_x = select(0u, (ix + p.stride_x - p.k_w) / p.stride_x, ix >= p.k_w);
    let filter_size = p.k_h * p.k_w * p.c_in;
    var sums = vec4<f32>();
    for (var oy = first_y; oy < p.h_out && oy * p.stride_y <= iy; oy++) {
        for (var ox = first_x; ox < p.w_out && ox * p.stride_x <= ix; ox++) {
            let place = oy * p.w_out + ox;
            let tap = (iy - oy * p.stride_y) * p.k_w + (ix - ox * p.stride_x);
            let filters = place * p.c_out * filter_size + tap * p.c_in + c;
            for (var o = 0u; o < p.c_out; o++) {
                let places = outputs + (place * p.c_out + o);
                sums += four_of_dy(places) * w[filters + o * filter_size];
            }
        }
    }
    for (var i = 0u; i < 4u && images[i] < p.n; i++) {
        dx[((images[i] * p.h + iy) * p.w + ix) * p.c_in + c] = sums[i];
    }
}
