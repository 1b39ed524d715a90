// OpenCV's warpAffine on bytes (whole numbers held as floats): bilinear, with zeros outside x.
//
//     exact:   the place of (u, v) is the map's, in f32; y is interpolated across, then down, and rounded, halves to even
//     opencv4: the place is the sum of a row's and a column's part in 1/1024 pixel, cut to 1/32; y is summed in integers,
//              and rounded, halves up
//
// One thread an element. Operations: 8 an element. Bytes: x read once or, from the cache, a few times; y written once.

struct Params {
    // n * h_out * w_out * c.
    elements: u32,
    h: u32,
    w: u32,
    c: u32,
    h_out: u32,
    w_out: u32,
    // 1: exact, 0: opencv4.
    exact: u32,
    // exact: columns that are computed in the order of OpenCV's vector code.
    vectors: u32,
    // Always 0, which the compiler does not know: see `unfused`.
    zero: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// places: [n, 2, 3] or [n, h_out + w_out, 4] f32
@group(0) @binding(2) var<storage, read_write> places: array<f32>;
// y: [n, h_out, w_out, c] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Keeps a product from being fused with the sum that follows.
fn unfused(product: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(product) | p.zero);
}

fn at(image: u32, column: i32, row: i32, channel: u32) -> f32 {
    if (column < 0 || column >= i32(p.w) || row < 0 || row >= i32(p.h)) {
        return 0.0;
    }
    return x[((image * p.h + u32(row)) * p.w + u32(column)) * p.c + channel];
}

fn between(start: f32, end: f32, share: f32) -> f32 {
    return fma(share, end - start, start);
}

// A coordinate by its row of the map.
fn place(first: u32, u: u32, v: f32) -> f32 {
    let down = unfused(v * places[first + 1u]);
    let offset = places[first + 2u];
    if (u < p.vectors) {
        return fma(f32(u), places[first], down + offset);
    }
    return unfused(fma(f32(u), places[first], down)) + offset;
}

fn exact(image: u32, u: u32, v: u32, channel: u32) -> f32 {
    let across = place(image * 6u, u, f32(v));
    let down = place(image * 6u + 3u, u, f32(v));
    // Not so for NaN either.
    if (!(across >= -1.0 && across < f32(p.w) && down >= -1.0 && down < f32(p.h))) {
        return 0.0;
    }
    let left = i32(floor(across));
    let top = i32(floor(down));
    let share = across - f32(left);
    let upper = between(at(image, left, top, channel), at(image, left + 1, top, channel), share);
    let lower = between(at(image, left, top + 1, channel), at(image, left + 1, top + 1, channel), share);
    return round(between(upper, lower, down - f32(top)));
}

// A part of a place, of whole pixels and 1/1024.
fn part(first: u32) -> i32 {
    return i32(places[first]) * 1024 + i32(places[first + 1u]);
}

fn opencv4(image: u32, u: u32, v: u32, channel: u32) -> f32 {
    let row = (image * (p.h_out + p.w_out) + v) * 4u;
    let column = (image * (p.h_out + p.w_out) + p.h_out + u) * 4u;
    let across = (part(row) + part(column)) >> 5u;
    let down = (part(row + 2u) + part(column + 2u)) >> 5u;
    let left = across >> 5u;
    let top = down >> 5u;
    let right_share = across & 31;
    let lower_share = down & 31;
    let upper = i32(at(image, left, top, channel)) * (32 - right_share)
        + i32(at(image, left + 1, top, channel)) * right_share;
    let lower = i32(at(image, left, top + 1, channel)) * (32 - right_share)
        + i32(at(image, left + 1, top + 1, channel)) * right_share;
    return f32((upper * (32 - lower_share) + lower * lower_share + 512) >> 10u);
}

@compute @workgroup_size(64)
fn warp_affine_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if (i >= p.elements) {
        return;
    }
    let channel = i % p.c;
    let pixel = i / p.c;
    let u = pixel % p.w_out;
    let v = pixel / p.w_out % p.h_out;
    let image = pixel / p.w_out / p.h_out;
    if (p.exact == 1u) {
        y[i] = exact(image, u, v, channel);
    } else {
        y[i] = opencv4(image, u, v, channel);
    }
}
