// Maximum over a sliding window; padding never wins.
//
//     y[image, oy, ox, c] = max over the window's pixels within the image of x[image, iy, ix, c]
//
// One thread an output, channels innermost, so that neighbouring threads read neighbouring elements.
// Operations: k_h * k_w an output. Bytes: x read once (through the cache), y written once.

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
    // n * h_out * w_out * c.
    outputs: u32,
    y_offset: u32,
    y_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [n, h_out, w_out, c] f32, rows y_stride apart
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn max_pool2d_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.outputs) {
        return;
    }
    let pixel = at / p.c;
    let channel = at - pixel * p.c;
    let row = pixel / p.w_out;
    let ox = pixel - row * p.w_out;
    let image = row / p.h_out;
    let oy = row - image * p.h_out;
    let top = i32(oy * p.stride_y) - i32(p.pad_y);
    let left = i32(ox * p.stride_x) - i32(p.pad_x);
    let first_y = u32(max(top, 0));
    let first_x = u32(max(left, 0));
    let end_y = min(u32(top + i32(p.k_h)), p.h);
    let end_x = min(u32(left + i32(p.k_w)), p.w);
    var result = x[((image * p.h + first_y) * p.w + first_x) * p.c + channel];
    for (var iy = first_y; iy < end_y; iy++) {
        for (var ix = first_x; ix < end_x; ix++) {
            result = max(result, x[((image * p.h + iy) * p.w + ix) * p.c + channel]);
        }
    }
    y[p.y_offset + pixel * p.y_stride + channel] = result;
}
