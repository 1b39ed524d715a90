// Crops of boxes, black outside the photograph, resized to size x size by OpenCV's INTER_AREA on floats, normalized.
//
//     as resize_area.wgsl; the overlaps of a shrinking resize are ratios of whole numbers, made here
//
// One thread a pixel. Operations: 2 a pixel read. Bytes: 3 a pixel of the box read, 12 a pixel written.

#include "cascade"

struct Params {
    // Crops, the first one's place among the boxes of all photographs, photographs.
    crops: u32,
    first: u32,
    images: u32,
    size: u32,
    // Where the network's input begins in the arena.
    y_offset: u32,
}

struct LinearTap {
    first: u32,
    second: u32,
    weight: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [bytes / 4] u32: photographs [h, w, 3] u8
@group(0) @binding(1) var<storage, read> x: array<u32>;
// images: [images] of Image
@group(0) @binding(2) var<storage, read> images: array<Image>;
// starts: [images + 1] u32: boxes of the photographs before each
@group(0) @binding(3) var<storage, read> starts: array<u32>;
// taps: [size + 2 extents from 1 on, size] of LinearTap
@group(0) @binding(4) var<storage, read> taps: array<LinearTap>;
// squares: [slots] of Box
@group(0) @binding(5) var<storage, read_write> squares: array<Box>;
// y: [arena] f32; from y_offset on [crops, size, size, 3]
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

// The photograph of box `at`.
fn image_of(at: u32) -> u32 {
    var low = 0u;
    var high = p.images;
    while (high - low > 1u) {
        let middle = (low + high) / 2u;
        if (starts[middle] <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

fn sample(at: u32) -> f32 {
    return f32((x[at / 4u] >> (at % 4u * 8u)) & 255u);
}

// Pixel `at` (column, row) of the crop whose first pixel is `corner` of the photograph, counted from 0.
fn pixel(image: Image, corner: vec2<i32>, at: vec2<u32>) -> vec3<f32> {
    let place = corner + vec2<i32>(at);
    if (any(place < vec2(0)) || place.x >= i32(image.w) || place.y >= i32(image.h)) {
        return vec3(0.0);
    }
    let byte = image.pixels + (u32(place.y) * image.w + u32(place.x)) * 3u;
    return vec3(sample(byte), sample(byte + 1u), sample(byte + 2u));
}

// Sources under cell `d` of an axis that shrinks from `source`: the first, and one past the last.
fn span(d: u32, source: u32) -> vec2<u32> {
    return vec2(d * source / p.size, ((d + 1u) * source + p.size - 1u) / p.size);
}

// By how much source `s` counts into cell `d`: their overlap as a fraction of the cell.
fn share(s: u32, d: u32, source: u32) -> f32 {
    let low = max(s * p.size, d * source);
    let high = min((s + 1u) * p.size, (d + 1u) * source);
    return f32(high - low) / f32(source);
}

fn area(image: Image, corner: vec2<i32>, extent: vec2<u32>, at: vec2<u32>) -> vec3<f32> {
    let columns = span(at.x, extent.x);
    let rows = span(at.y, extent.y);
    var sum = vec3(0.0);
    for (var row = rows.x; row < rows.y; row++) {
        var across = vec3(0.0);
        for (var column = columns.x; column < columns.y; column++) {
            across += pixel(image, corner, vec2(column, row)) * share(column, at.x, extent.x);
        }
        sum += across * share(row, at.y, extent.y);
    }
    return sum;
}

fn block(image: Image, corner: vec2<i32>, extent: vec2<u32>, at: vec2<u32>) -> vec3<f32> {
    let factor = extent / p.size;
    var sum = vec3(0.0);
    for (var row = 0u; row < factor.y; row++) {
        for (var column = 0u; column < factor.x; column++) {
            sum += pixel(image, corner, at * factor + vec2(column, row));
        }
    }
    return sum * (1.0 / f32(factor.x * factor.y));
}

fn linear(image: Image, corner: vec2<i32>, extent: vec2<u32>, at: vec2<u32>) -> vec3<f32> {
    // Boxes are square but for the cut to whole pixels: no extent is longer than the table's last.
    let column = taps[(min(extent.x, p.size + 2u) - 1u) * p.size + at.x];
    let row = taps[(min(extent.y, p.size + 2u) - 1u) * p.size + at.y];
    let first = pixel(image, corner, vec2(column.first, row.first)) * (1.0 - column.weight)
        + pixel(image, corner, vec2(column.second, row.first)) * column.weight;
    let second = pixel(image, corner, vec2(column.first, row.second)) * (1.0 - column.weight)
        + pixel(image, corner, vec2(column.second, row.second)) * column.weight;
    return first * (1.0 - row.weight) + second * row.weight;
}

@compute @workgroup_size(64)
fn crop_boxes(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.crops * p.size * p.size) {
        return;
    }
    let place = vec2(at % p.size, at / p.size % p.size);
    let index = p.first + at / p.size / p.size;
    let owner = image_of(index);
    let image = images[owner];
    let corners = squares[image.first + index - starts[owner]].corners;
    let extent = corners.zw - corners.xy + 1;
    var value = vec3(0.0);
    if (all(extent > vec2(0))) {
        let corner = corners.xy - 1;
        let whole = vec2<u32>(extent);
        if (any(whole < vec2(p.size))) {
            value = linear(image, corner, whole, place);
        } else if (all(whole % p.size == vec2(0u))) {
            value = block(image, corner, whole, place);
        } else {
            value = area(image, corner, whole, place);
        }
    }
    let result = normalized(value);
    y[p.y_offset + at * 3u] = result.x;
    y[p.y_offset + at * 3u + 1u] = result.y;
    y[p.y_offset + at * 3u + 2u] = result.z;
}
