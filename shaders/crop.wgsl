// A window of an image, zero outside it.
//
//     y[image, r, q] = x[image, r + top, q + left], or 0
//
// One thread an element. Operations: 0 an element. Bytes: each input read once, y written once.

struct Params {
    elements: u32,
    h: u32,
    w: u32,
    c: u32,
    h_out: u32,
    w_out: u32,
    top: i32,
    left: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// y: [n, h_out, w_out, c] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn crop_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
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
