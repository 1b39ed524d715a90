// What crops and paddings share: a window of an image, zero outside it.
struct Params {
    elements: u32,
    h: u32,
    w: u32,
    c: u32,
    h_out: u32,
    w_out: u32,
    // Where the window begins, in pixels of the image.
    top: i32,
    left: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [n, h_out, w_out, c] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn crop(at: u32) {
    if (at >= p.elements) {
        return;
    }
    let pixel = at / p.c;
    let row = pixel / p.w_out;
    let image = row / p.h_out;
    let iy = i32(row % p.h_out) + p.top;
    let ix = i32(pixel % p.w_out) + p.left;
    var value = 0.0;
    if (iy >= 0 && iy < i32(p.h) && ix >= 0 && ix < i32(p.w)) {
        value = x[((image * p.h + u32(iy)) * p.w + u32(ix)) * p.c + at % p.c];
    }
    y[at] = value;
}
