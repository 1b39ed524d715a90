// What the two poolings share: their parameters, and the window of an output.
struct Params {
#include "pool2d_geometry"
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

// The part of an output's window that lies within the image, and where the output goes.
struct Window {
    first_y: u32,
    end_y: u32,
    first_x: u32,
    end_x: u32,
    // The first row of the image, counted through all images.
    top: u32,
    channel: u32,
    // The output's element of y.
    y: u32,
}

fn window(at: u32) -> Window {
    let pixel = at / p.c;
    let channel = at - pixel * p.c;
    let row = pixel / p.w_out;
    let ox = pixel - row * p.w_out;
    let image = row / p.h_out;
    let oy = row - image * p.h_out;
    let top = i32(oy * p.stride_y) - i32(p.pad_y);
    let left = i32(ox * p.stride_x) - i32(p.pad_x);
    return Window(
        u32(max(top, 0)),
        min(u32(top + i32(p.k_h)), p.h),
        u32(max(left, 0)),
        min(u32(left + i32(p.k_w)), p.w),
        image * p.h,
        channel,
        p.y_offset + pixel * p.y_stride + channel,
    );
}

// The element of x at row `iy`, column `ix` of a window's image and channel.
fn place(window: Window, iy: u32, ix: u32) -> u32 {
    return ((window.top + iy) * p.w + ix) * p.c + window.channel;
}
