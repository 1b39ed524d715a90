// Convolution whose filters are not shared between positions (DeepFace's locally connected layers), VALID.
//
//     y[image, position, o] = act(b[position, o] + sum over ky, kx, c of x[..] * w[position, o, ky, kx, c])
//
// One thread an output. Operations: 2 * k_h * k_w * c_in an output. Bytes: w read once per image, which is the bound.

struct Params {
#include "local_conv2d"
    // n * h_out * w_out * c_out.
    outputs: u32,
    // 1 for a rectifier.
    relu: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c_in] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// w: [h_out, w_out, c_out, k_h, k_w, c_in] f32
@group(0) @binding(2) var<storage, read> w: array<f32>;
// b: [h_out, w_out, c_out] f32
@group(0) @binding(3) var<storage, read> b: array<f32>;
// y: [n, h_out, w_out, c_out] f32
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn local_conv2d_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.outputs) {
        return;
    }
    let per_image = p.h_out * p.w_out * p.c_out;
    let image = at / per_image;
    let local = at % per_image;
    let oy = local / p.c_out / p.w_out;
    let ox = local / p.c_out % p.w_out;
    var sum = b[local];
    for (var ky = 0u; ky < p.k_h; ky++) {
        let pixel = (image * p.h + oy * p.stride_y + ky) * p.w + ox * p.stride_x;
        let filter_row = (local * p.k_h + ky) * p.k_w;
        for (var i = 0u; i < p.k_w * p.c_in; i++) {
            sum += x[pixel * p.c_in + i] * w[filter_row * p.c_in + i];
        }
    }
    y[at] = select(sum, max(sum, 0.0), p.relu == 1u);
}
