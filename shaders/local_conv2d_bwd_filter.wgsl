// Gradient of a locally connected layer with respect to its filters.
//
//     dw[p, o, tap, c] = sum over images of dy[image, p, o] * x[image, p + tap, c]
//
// One thread an element of four outputs' filters. Operations: 2 * n an element. Bytes: dw written once, which is the bound
// for few images.

struct Params {
    n: u32,
#include "local_conv2d"
    // h_out * w_out * ceil(c_out / 4) * k_h * k_w * c_in.
    threads: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c_in] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// dy: [n, h_out, w_out, c_out] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// dw: [h_out, w_out, c_out, k_h, k_w, c_in] f32
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

#include "local_conv2d_dy"

@compute @workgroup_size(64)
fn local_conv2d_bwd_filter(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.threads) {
        return;
    }
    let filter_size = p.k_h * p.k_w * p.c_in;
    let fours = (p.c_out + 3u) / 4u;
    let four = at / filter_size;
    let k = at - four * filter_size;
    let tap = k / p.c_in;
    let place = four / fours;
    // Outputs past the last are the last once more, and not kept.
    let outputs = (four - place * fours) * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    let local = place * p.c_out + min(outputs, vec4<u32>(p.c_out - 1u));
    let iy = place / p.w_out * p.stride_y + tap / p.k_w;
    let ix = place % p.w_out * p.stride_x + tap % p.k_w;
    let pixel = (iy * p.w + ix) * p.c_in + k % p.c_in;
    var sums = vec4<f32>();
    for (var image = 0u; image < p.n; image++) {
        let places = image * p.h_out * p.w_out * p.c_out + local;
        sums += four_of_dy(places) * x[image * p.h * p.w * p.c_in + pixel];
    }
    for (var i = 0u; i < 4u && outputs[i] < p.c_out; i++) {
        dw[(place * p.c_out + outputs[i]) * filter_size + k] = sums[i];
    }
}
