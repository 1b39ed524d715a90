// Convolution whose filters are not shared between positions (DeepFace's locally connected layers), VALID.
//
//     y[image, position, o] = act(b[position, o] + sum over ky, kx, c of x[..] * w[position, o, ky, kx, c])
//
// One thread an output of four images, images innermost: threads that share a filter are neighbours, and read it once for
// all of them. Operations: 2 * k_h * k_w * c_in an output. Bytes: w read from memory once, which is the bound.

struct Params {
#include "local_conv2d"
    // n * h_out * w_out * c_out.
    outputs: u32,
    // 1 for a rectifier.
    relu: u32,
    // The first position, how many there are, and the elements that w has before the first one's filters.
    first: u32,
    positions: u32,
    skipped: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c_in] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// w: [positions, c_out, k_h, k_w, c_in] f32, of those from `first` on
@group(0) @binding(2) var<storage, read> w: array<f32>;
// b: [h_out, w_out, c_out] f32
@group(0) @binding(3) var<storage, read> b: array<f32>;
// y: [n, h_out, w_out, c_out] f32
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn local_conv2d_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    let per_image = p.h_out * p.w_out * p.c_out;
    let n = p.outputs / per_image;
    let fours = (n + 3u) / 4u;
    if (at >= fours * p.positions * p.c_out) {
        return;
    }
    // Of this piece, and of all positions.
    let of_piece = at / fours;
    let local = of_piece + p.first * p.c_out;
    let ox = local / p.c_out % p.w_out;
    let oy = local / p.c_out / p.w_out;
    // Images past the last are the last once more, and not kept.
    let images = (at - of_piece * fours) * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    let windows = (min(images, vec4<u32>(n - 1u)) * p.h + oy * p.stride_y) * p.w + ox * p.stride_x;
    let run = p.k_w * p.c_in;
    var sums = vec4<f32>(b[local]);
    for (var ky = 0u; ky < p.k_h; ky++) {
        let lines = (windows + ky * p.w) * p.c_in;
        let filter_row = p.skipped + (of_piece * p.k_h + ky) * run;
        for (var i = 0u; i < run; i++) {
            let four = vec4<f32>(x[lines.x + i], x[lines.y + i], x[lines.z + i], x[lines.w + i]);
            sums += four * w[filter_row + i];
        }
    }
    for (var i = 0u; i < 4u && images[i] < n; i++) {
        y[images[i] * per_image + local] = select(sums[i], max(sums[i], 0.0), p.relu == 1u);
    }
}
