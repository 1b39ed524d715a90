// Pillow's antialiased bilinear filter on bytes (whole numbers held as floats), bit for bit with the CPU's.
//
//     y = byte((1/2 + sum over taps of weight * x) >> 22), along one axis and then along the other
//
// The host makes the fixed-point taps. One thread an output: it redoes the first pass for the few samples that it
// needs, rather than keeping the picture between the passes. Bytes: x read, y written once, through the cache.
// Operations: 2 * taps_x * taps_y an output.

struct Params {
    h: u32,
    w: u32,
    h_out: u32,
    w_out: u32,
    // n * h_out * w_out * 3.
    outputs: u32,
    // 1: the columns are filtered first, which a byte between the passes makes visible.
    columns_first: u32,
    // Where the taps of the rows begin in `taps`; those of the columns begin at 0.
    rows: u32,
}

struct Tap {
    source: u32,
    weight: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, 3] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// taps: [w_out + 1 and h_out + 1 first taps, then taps] of Tap
@group(0) @binding(2) var<storage, read> taps: array<Tap>;
// y: [n, h_out, w_out, 3] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn byte(sum: i32) -> i32 {
    return clamp(sum >> 22u, 0, 255);
}

fn at(image_row: u32, column: u32, channel: u32) -> i32 {
    return i32(x[(image_row * p.w + column) * 3u + channel]);
}

@compute @workgroup_size(64)
fn resize_bilinear_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if (i >= p.outputs) {
        return;
    }
    let channel = i % 3u;
    let pixel = i / 3u;
    let ox = pixel % p.w_out;
    let oy = pixel / p.w_out % p.h_out;
    let top = pixel / p.w_out / p.h_out * p.h;
    let half = 1 << 21u;
    let rows = vec2(taps[p.rows + oy].source, taps[p.rows + oy + 1u].source);
    let columns = vec2(taps[ox].source, taps[ox + 1u].source);
    var sum = half;
    if (p.columns_first == 1u) {
        for (var j = columns.x; j < columns.y; j++) {
            var down = half;
            for (var k = rows.x; k < rows.y; k++) {
                down += at(top + taps[k].source, taps[j].source, channel) * taps[k].weight;
            }
            sum += byte(down) * taps[j].weight;
        }
    } else {
        for (var k = rows.x; k < rows.y; k++) {
            var across = half;
            for (var j = columns.x; j < columns.y; j++) {
                across += at(top + taps[k].source, taps[j].source, channel) * taps[j].weight;
            }
            sum += byte(across) * taps[k].weight;
        }
    }
    y[i] = f32(byte(sum));
}
