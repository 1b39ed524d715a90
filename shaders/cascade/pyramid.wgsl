// Rows of one pyramid level, of photographs of one size: OpenCV's INTER_AREA on bytes, rounded to bytes, normalized.
//
//     area:  y = round(sum over rows of weight * (sum over columns of weight * x))
//     block: y = mean of factor_y x factor_x pixels, where both factors are whole (1 for a copy)
//
// One thread a pixel. The same sums in the same order as on the CPU: levels are equal bit for bit, boxes depend on it.
// Operations: 2 a pixel read. Bytes: the photographs' rows read once (through the cache), 12 a pixel written.

#include "cascade"

struct Params {
    // The photographs' extents, and the first one's first byte.
    h: u32,
    w: u32,
    pixels: u32,
    // Rows and columns made, the first row's place in the level, photographs.
    rows: u32,
    columns: u32,
    first_row: u32,
    images: u32,
    // 0 area, 1 block.
    method: u32,
    factor_y: u32,
    factor_x: u32,
    // Where the level's taps begin in `taps`: of its columns, of its rows.
    taps_x: u32,
    taps_y: u32,
    // Where the network's input begins in the arena.
    y_offset: u32,
    // Always 0, which the compiler does not know: see `unfused`.
    zero: u32,
}

struct Tap {
    // For the first entries of an axis: the place of a cell's first tap, relative to the axis's first entry.
    source: u32,
    weight: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [bytes / 4] u32: photographs [h, w, 3] u8, one after the other
@group(0) @binding(1) var<storage, read> x: array<u32>;
// taps: [levels, axes: extent + 1 first taps, then taps] of Tap
@group(0) @binding(2) var<storage, read> taps: array<Tap>;
// y: [arena] f32; from y_offset on [images, rows, columns, 3]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Keeps a product from being fused with the sum that follows.
fn unfused(product: vec3<f32>) -> vec3<f32> {
    return bitcast<vec3<f32>>(bitcast<vec3<u32>>(product) | vec3(p.zero));
}

fn sample(at: u32) -> f32 {
    return f32((x[at / 4u] >> (at % 4u * 8u)) & 255u);
}

fn pixel(first: u32, row: u32, column: u32) -> vec3<f32> {
    let at = first + (row * p.w + column) * 3u;
    return vec3(sample(at), sample(at + 1u), sample(at + 2u));
}

fn area(first: u32, oy: u32, ox: u32) -> vec3<f32> {
    var sum = vec3(0.0);
    for (var i = taps[p.taps_y + oy].source; i < taps[p.taps_y + oy + 1u].source; i++) {
        let row = taps[p.taps_y + i];
        var across = vec3(0.0);
        for (var j = taps[p.taps_x + ox].source; j < taps[p.taps_x + ox + 1u].source; j++) {
            let column = taps[p.taps_x + j];
            across += unfused(pixel(first, row.source, column.source) * column.weight);
        }
        sum += unfused(row.weight * across);
    }
    return round(clamp(sum, vec3(0.0), vec3(255.0)));
}

fn block(first: u32, oy: u32, ox: u32) -> vec3<f32> {
    // Whole numbers: exact in any order.
    var sum = vec3(0.0);
    for (var i = 0u; i < p.factor_y; i++) {
        for (var j = 0u; j < p.factor_x; j++) {
            sum += pixel(first, oy * p.factor_y + i, ox * p.factor_x + j);
        }
    }
    // Quarters are rounded up by OpenCV's vector code.
    if (p.factor_y == 2u && p.factor_x == 2u) {
        return floor((sum + 2.0) * 0.25);
    }
    return round(clamp(sum * (1.0 / f32(p.factor_y * p.factor_x)), vec3(0.0), vec3(255.0)));
}

@compute @workgroup_size(64)
fn pyramid(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.images * p.rows * p.columns) {
        return;
    }
    let ox = at % p.columns;
    let oy = at / p.columns % p.rows + p.first_row;
    let image = at / p.columns / p.rows;
    let first = p.pixels + image * p.h * p.w * 3u;
    var value = vec3<f32>();
    if (p.method == 0u) {
        value = area(first, oy, ox);
    } else {
        value = block(first, oy, ox);
    }
    let result = normalized(value);
    y[p.y_offset + at * 3u] = result.x;
    y[p.y_offset + at * 3u + 1u] = result.y;
    y[p.y_offset + at * 3u + 2u] = result.z;
}
