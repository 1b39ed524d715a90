// Crops of boxes, black outside the photograph, resized to size x size by OpenCV's INTER_AREA on floats, normalized.
//
//     as resize_area.cu; the overlaps of a shrinking resize are ratios of whole numbers, made here
//
// One thread a pixel. Operations: 2 a pixel read. Bytes: 3 a pixel of the box read, 12 a pixel written.
// Targets: compute_75
// Hot: crop_boxes_f32

#include "cascade/head.cuh"

struct Params {
    // Crops, the first one's place among the boxes of all photographs, photographs.
    u32 crops;
    u32 first;
    u32 images;
    u32 size;
    // Where the network's input begins in the arena.
    u32 y_offset;
};

struct LinearTap {
    u32 first;
    u32 second;
    float weight;
};

// A box's crop: its photograph, its first pixel there counted from 0, its extent.
struct Crop {
    // x: [bytes / 4] u32
    const u32 *x;
    Image image;
    int2 corner;
    uint2 extent;
};

// Pixel (column, row) of a crop.
static __device__ __forceinline__ float3 pixel(const Crop &crop, u32 column, u32 row) {
    i32 x = crop.corner.x + (i32)column;
    i32 y = crop.corner.y + (i32)row;
    if (x < 0 || y < 0 || x >= (i32)crop.image.w || y >= (i32)crop.image.h) {
        return make_float3(0.0f, 0.0f, 0.0f);
    }
    return samples(crop.x, crop.image.pixels + ((u32)y * crop.image.w + (u32)x) * 3);
}

// Sources under cell `d` of an axis that shrinks from `source`: the first, and one past the last.
static __device__ __forceinline__ uint2 span(u32 d, u32 source, u32 size) {
    return make_uint2(d * source / size, ((d + 1) * source + size - 1) / size);
}

// By how much source `s` counts into cell `d`: their overlap as a fraction of the cell.
static __device__ __forceinline__ float share(u32 s, u32 d, u32 source, u32 size) {
    u32 low = max(s * size, d * source);
    u32 high = min((s + 1) * size, (d + 1) * source);
    return (float)(high - low) / (float)source;
}

static __device__ float3 area(const Crop &crop, u32 size, u32 ox, u32 oy) {
    uint2 columns = span(ox, crop.extent.x, size);
    uint2 rows = span(oy, crop.extent.y, size);
    float3 sum = make_float3(0.0f, 0.0f, 0.0f);
    for (u32 row = rows.x; row < rows.y; row++) {
        float3 across = make_float3(0.0f, 0.0f, 0.0f);
        for (u32 column = columns.x; column < columns.y; column++) {
            across = plus(across, times(pixel(crop, column, row), share(column, ox, crop.extent.x, size)));
        }
        sum = plus(sum, times(across, share(row, oy, crop.extent.y, size)));
    }
    return sum;
}

static __device__ float3 block(const Crop &crop, u32 size, u32 ox, u32 oy) {
    u32 factor_x = crop.extent.x / size;
    u32 factor_y = crop.extent.y / size;
    float3 sum = make_float3(0.0f, 0.0f, 0.0f);
    for (u32 row = 0; row < factor_y; row++) {
        for (u32 column = 0; column < factor_x; column++) {
            sum = plus(sum, pixel(crop, ox * factor_x + column, oy * factor_y + row));
        }
    }
    return times(sum, 1.0f / (float)(factor_x * factor_y));
}

// first * (1 - weight) + second * weight.
static __device__ __forceinline__ float3 between(float3 first, float3 second, float weight) {
    return plus(times(first, 1.0f - weight), times(second, weight));
}

static __device__ float3 linear(const Crop &crop, const LinearTap *taps, u32 size, u32 ox, u32 oy) {
    // Boxes are square but for the cut to whole pixels: no extent is longer than the table's last.
    LinearTap column = taps[(min(crop.extent.x, size + 2) - 1) * size + ox];
    LinearTap row = taps[(min(crop.extent.y, size + 2) - 1) * size + oy];
    float3 first =
        between(pixel(crop, column.first, row.first), pixel(crop, column.second, row.first), column.weight);
    float3 second =
        between(pixel(crop, column.first, row.second), pixel(crop, column.second, row.second), column.weight);
    return between(first, second, row.weight);
}

extern "C" __global__ void __launch_bounds__(256) crop_boxes_f32(
    const Params p,
    // x: [bytes / 4] u32: photographs [h, w, 3] u8
    const u32 *__restrict__ x,
    // images: [images] of Image
    const Image *__restrict__ images,
    // starts: [images + 1] u32: boxes of the photographs before each
    const u32 *__restrict__ starts,
    // taps: [size + 2 extents from 1 on, size] of LinearTap
    const LinearTap *__restrict__ taps,
    // squares: [slots] of Box
    const Box *squares,
    // y: [arena] f32; from y_offset on [crops, size, size, 3]
    float *y
) {
    u32 at;
    if (!element(p.crops * p.size * p.size, at)) {
        return;
    }
    u32 ox = at % p.size;
    u32 oy = at / p.size % p.size;
    u32 index = p.first + at / p.size / p.size;
    u32 owner = image_of(starts, p.images, index);
    Image image = images[owner];
    int4 corners = squares[image.first + index - starts[owner]].corners;
    i32 width = corners.z - corners.x + 1;
    i32 height = corners.w - corners.y + 1;
    float3 value = make_float3(0.0f, 0.0f, 0.0f);
    if (width > 0 && height > 0) {
        Crop crop{x, image, make_int2(corners.x - 1, corners.y - 1), make_uint2((u32)width, (u32)height)};
        if (crop.extent.x < p.size || crop.extent.y < p.size) {
            value = linear(crop, taps, p.size, ox, oy);
        } else if (crop.extent.x % p.size == 0 && crop.extent.y % p.size == 0) {
            value = block(crop, p.size, ox, oy);
        } else {
            value = area(crop, p.size, ox, oy);
        }
    }
    put(y + p.y_offset + (u64)at * 3, value);
}
