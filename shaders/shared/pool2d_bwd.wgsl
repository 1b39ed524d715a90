// What the gradients of the two poolings share: their parameters, and the windows that cover an element.
struct Params {
#include "pool2d_geometry"
    // n * h * w * c.
    elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

// Along one axis: the windows that cover `place`, from the first to one past the last.
fn covering(place: u32, pad: u32, kernel: u32, stride: u32, out: u32) -> vec2<u32> {
    let at = place + pad;
    let first = select(0u, (at + stride - kernel) / stride, at >= kernel);
    return vec2(first, min(at / stride + 1u, out));
}

// The part of a window that lies within the image.
fn within(window: u32, pad: u32, kernel: u32, stride: u32, extent: u32) -> vec2<u32> {
    let at = window * stride;
    return vec2(max(at, pad) - pad, min(at + kernel - pad, extent));
}

// An element of x: its place, and the windows that cover it.
struct Element {
    channel: u32,
    ix: u32,
    iy: u32,
    image: u32,
    rows: vec2<u32>,
    columns: vec2<u32>,
}

fn element(at: u32) -> Element {
    let pixel = at / p.c;
    let line = pixel / p.w;
    let channel = at - pixel * p.c;
    let ix = pixel - line * p.w;
    let image = line / p.h;
    let iy = line - image * p.h;
    let rows = covering(iy, p.pad_y, p.k_h, p.stride_y, p.h_out);
    let columns = covering(ix, p.pad_x, p.k_w, p.stride_x, p.w_out);
    return Element(channel, ix, iy, image, rows, columns);
}

// The element's channel of an output.
fn output_of(element: Element, oy: u32, ox: u32) -> u32 {
    return ((element.image * p.h_out + oy) * p.w_out + ox) * p.c + element.channel;
}
