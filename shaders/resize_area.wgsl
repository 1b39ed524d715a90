// OpenCV's INTER_AREA, on floats and on bytes (whole numbers held as floats), bit for bit with the CPU's.
//
//     area:   y = sum over rows of weight * (sum over columns of weight * x), the overlaps of the destination's cell
//     block:  y = mean of factor_y x factor_x pixels, where both factors are whole
//     linear: y = bilinear with weights that are areas, where some axis grows
//
// The host makes the taps of both axes: f64 decides them. One thread an output, summed in OpenCV's order.
// Operations: 2 an input pixel and 2 an output pixel. Bytes: x read once, y written once.

struct Params {
    h: u32,
    w: u32,
    c: u32,
    h_out: u32,
    w_out: u32,
    // n * h_out * w_out * c.
    outputs: u32,
    // 0 area, 1 block, 2 linear.
    method: u32,
    factor_y: u32,
    factor_x: u32,
    // 1: values are bytes.
    bytes: u32,
    // Where the taps of the rows begin in `taps`; those of the columns begin at 0.
    rows: u32,
    // Always 0, which the compiler does not know: see `unfused`.
    zero: u32,
}

struct Tap {
    // area: source and weight; linear: first and second source, weight of the second.
    first: u32,
    second: u32,
    weight: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// taps: [w_out + 1 and h_out + 1 first taps, then taps] of Tap
@group(0) @binding(2) var<storage, read> taps: array<Tap>;
// y: [n, h_out, w_out, c] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Keeps a product from being fused with the sum that follows.
fn unfused(product: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(product) | p.zero);
}

fn byte(value: f32) -> f32 {
    return select(value, round(clamp(value, 0.0, 255.0)), p.bytes == 1u);
}

// `image_row` counts rows of all images.
fn at(image_row: u32, column: u32, channel: u32) -> f32 {
    return x[(image_row * p.w + column) * p.c + channel];
}

fn area(top: u32, oy: u32, ox: u32, channel: u32) -> f32 {
    var sum = 0.0;
    for (var i = taps[p.rows + oy].first; i < taps[p.rows + oy + 1u].first; i++) {
        let row = taps[i];
        var across = 0.0;
        for (var j = taps[ox].first; j < taps[ox + 1u].first; j++) {
            across += unfused(at(top + row.first, taps[j].first, channel) * taps[j].weight);
        }
        sum += unfused(row.weight * across);
    }
    return byte(sum);
}

fn block(top: u32, oy: u32, ox: u32, channel: u32) -> f32 {
    let count = p.factor_y * p.factor_x;
    let inverse = 1.0 / f32(count);
    var sum = 0.0;
    var four = 0.0;
    for (var i = 0u; i < count; i++) {
        let value = at(top + oy * p.factor_y + i / p.factor_x, ox * p.factor_x + i % p.factor_x, channel);
        // Floats are added by fours, as long as there are four; whole numbers are exact in any order.
        if (i < count / 4u * 4u) {
            four += value;
            if (i % 4u == 3u) {
                sum += four;
                four = 0.0;
            }
        } else {
            sum += value;
        }
    }
    // Quarters of bytes are rounded up, for the channels that OpenCV's vector code knows.
    if (p.bytes == 1u && p.factor_y == 2u && p.factor_x == 2u && (p.c == 1u || p.c == 3u || p.c == 4u)) {
        return floor((sum + 2.0) * 0.25);
    }
    return byte(sum * inverse);
}

fn linear(top: u32, oy: u32, ox: u32, channel: u32) -> f32 {
    let row = taps[p.rows + oy];
    let column = taps[ox];
    let corners = vec4(
        at(top + row.first, column.first, channel),
        at(top + row.first, column.second, channel),
        at(top + row.second, column.first, channel),
        at(top + row.second, column.second, channel),
    );
    if (p.bytes == 1u) {
        // 11 fractional bits across, 11 more down, dropped in three steps.
        let across = vec2(i32(round((1.0 - column.weight) * 2048.0)), i32(round(column.weight * 2048.0)));
        let down = vec2(i32(round((1.0 - row.weight) * 2048.0)), i32(round(row.weight * 2048.0)));
        let whole = vec4<i32>(corners);
        let first = whole.x * across.x + whole.y * across.y;
        let second = whole.z * across.x + whole.w * across.y;
        let sum = ((down.x * (first >> 4u)) >> 16u) + ((down.y * (second >> 4u)) >> 16u);
        return f32((sum + 2) >> 2u);
    }
    let first = unfused(corners.x * (1.0 - column.weight)) + unfused(corners.y * column.weight);
    let second = unfused(corners.z * (1.0 - column.weight)) + unfused(corners.w * column.weight);
    return unfused(first * (1.0 - row.weight)) + unfused(second * row.weight);
}

@compute @workgroup_size(64)
fn resize_area_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if (i >= p.outputs) {
        return;
    }
    let channel = i % p.c;
    let pixel = i / p.c;
    let ox = pixel % p.w_out;
    let oy = pixel / p.w_out % p.h_out;
    let top = pixel / p.w_out / p.h_out * p.h;
    switch p.method {
        case 0u: { y[i] = area(top, oy, ox, channel); }
        case 1u: { y[i] = block(top, oy, ox, channel); }
        default: { y[i] = linear(top, oy, ox, channel); }
    }
}
