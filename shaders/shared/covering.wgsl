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
