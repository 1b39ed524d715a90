// What the cascade's kernels share.
#pragma once

#include "common.cuh"

// A box on its way through the cascade: 64 bytes.
struct __align__(16) Box {
    // x1 y1 x2 y2: whole pixels, the photograph's first being 1.
    int4 corners;
    // The network's offsets, fractions of the box.
    float4 offsets;
    // P-Net: the offsets of the cell mirrored left to right. O-Net: the corners moved by the offsets.
    float4 extra;
    float score;
    // The box's place in the original's list: of equal scores the later one is the better.
    u32 order;
    u32 image;
    u32 unused;
};

// A range of the lists of boxes: a level's of a photograph, or a whole photograph's.
struct Segment {
    u32 first;
    u32 capacity;
};

struct Image {
    u32 w;
    u32 h;
    // The first byte of its pixels.
    u32 pixels;
    // Its levels, in the table of segments.
    u32 first_level;
    u32 levels;
    // Its range of the lists of boxes.
    u32 first;
};

// Three channels, each product and sum rounded for itself: none is fused with the next.
static __device__ __forceinline__ float3 times(float3 x, float factor) {
    return make_float3(__fmul_rn(x.x, factor), __fmul_rn(x.y, factor), __fmul_rn(x.z, factor));
}

static __device__ __forceinline__ float3 plus(float3 x, float3 y) {
    return make_float3(__fadd_rn(x.x, y.x), __fadd_rn(x.y, y.y), __fadd_rn(x.z, y.z));
}

// Byte `at` of bytes packed into words.
static __device__ __forceinline__ float sample(const u32 *x, u32 at) {
    return (float)((x[at / 4] >> (at % 4 * 8)) & 255u);
}

// Three bytes from `at` on.
static __device__ __forceinline__ float3 samples(const u32 *x, u32 at) {
    return make_float3(sample(x, at), sample(x, at + 1), sample(x, at + 2));
}

// Pixels, 0 to 255, as the networks take them. Scaling by a power of two is exact.
static __device__ __forceinline__ float normalized(float x) {
    return (x - 127.5f) * 0.0078125f;
}

// Writes a pixel as the networks take it.
static __device__ __forceinline__ void put(float *y, float3 pixel) {
    y[0] = normalized(pixel.x);
    y[1] = normalized(pixel.y);
    y[2] = normalized(pixel.z);
}

// The photograph of box `at`. Empty photographs share their start with the next: the last of them is the one that has
// boxes.
static __device__ __forceinline__ u32 image_of(const u32 *starts, u32 images, u32 at) {
    u32 low = 0;
    u32 high = images;
    while (high - low > 1) {
        u32 middle = (low + high) / 2;
        if (starts[middle] <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}
