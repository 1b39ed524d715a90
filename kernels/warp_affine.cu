// OpenCV's warpAffine on bytes (whole numbers held as floats): bilinear, with zeros outside x.
//
//     exact:   the place of (u, v) is the map's, in f32; y is interpolated across, then down, and rounded, halves to even
//     opencv4: the place is the sum of a row's and a column's part in 1/1024 pixel, cut to 1/32; y is summed in integers,
//              and rounded, halves up
//
// One thread an element; products and sums are fused where OpenCV's are. Operations: 8 an element.
// Bytes: x read once or, from the cache, a few times; y written once.
// Targets: compute_75
// Hot: warp_affine_fwd_f32

#include "common.cuh"

struct Params {
    // n * h_out * w_out * c.
    u32 elements;
    u32 h;
    u32 w;
    u32 c;
    u32 h_out;
    u32 w_out;
    // 1: exact, 0: opencv4.
    u32 exact;
    // exact: columns that are computed in the order of OpenCV's vector code.
    u32 vectors;
    // Always 0; the shader needs it, here there are instructions that do not fuse.
    u32 zero;
};

static __device__ __forceinline__ float
at(const Params &p, const float *x, u32 image, i32 column, i32 row, u32 channel) {
    if (column < 0 || column >= (i32)p.w || row < 0 || row >= (i32)p.h) {
        return 0.0f;
    }
    return x[(u64)((image * p.h + (u32)row) * p.w + (u32)column) * p.c + channel];
}

static __device__ __forceinline__ float between(float start, float end, float share) {
    return __fmaf_rn(share, __fadd_rn(end, -start), start);
}

// A coordinate by its row of the map.
static __device__ __forceinline__ float place(const Params &p, const float *map, u32 u, float v) {
    float down = __fmul_rn(v, map[1]);
    if (u < p.vectors) {
        return __fmaf_rn((float)u, map[0], __fadd_rn(down, map[2]));
    }
    return __fadd_rn(__fmaf_rn((float)u, map[0], down), map[2]);
}

static __device__ float
exact(const Params &p, const float *x, const float *map, u32 image, u32 u, u32 v, u32 channel) {
    float across = place(p, map, u, (float)v);
    float down = place(p, map + 3, u, (float)v);
    // Not so for NaN either.
    if (!(across >= -1.0f && across < (float)p.w && down >= -1.0f && down < (float)p.h)) {
        return 0.0f;
    }
    i32 left = (i32)floorf(across);
    i32 top = (i32)floorf(down);
    float share = across - (float)left;
    float upper = between(at(p, x, image, left, top, channel), at(p, x, image, left + 1, top, channel), share);
    float lower = between(at(p, x, image, left, top + 1, channel), at(p, x, image, left + 1, top + 1, channel), share);
    return rintf(between(upper, lower, down - (float)top));
}

// The sum of two parts of a place, each of whole pixels and 1/1024, cut to 1/32. It may wrap around, as OpenCV's.
static __device__ __forceinline__ i32 sum(const float *row, const float *column) {
    u32 first = (u32)(i32)row[0] * 1024 + (u32)(i32)row[1];
    u32 second = (u32)(i32)column[0] * 1024 + (u32)(i32)column[1];
    return (i32)(first + second) >> 5;
}

static __device__ float
opencv4(const Params &p, const float *x, const float *parts, u32 image, u32 u, u32 v, u32 channel) {
    const float *row = parts + v * 4;
    const float *column = parts + (p.h_out + u) * 4;
    i32 across = sum(row, column);
    i32 down = sum(row + 2, column + 2);
    i32 left = across >> 5;
    i32 top = down >> 5;
    i32 right_share = across & 31;
    i32 lower_share = down & 31;
    i32 upper = (i32)at(p, x, image, left, top, channel) * (32 - right_share)
        + (i32)at(p, x, image, left + 1, top, channel) * right_share;
    i32 lower = (i32)at(p, x, image, left, top + 1, channel) * (32 - right_share)
        + (i32)at(p, x, image, left + 1, top + 1, channel) * right_share;
    return (float)((upper * (32 - lower_share) + lower * lower_share + 512) >> 10);
}

extern "C" __global__ void __launch_bounds__(256) warp_affine_fwd_f32(
    const Params p,
    // x: [n, h, w, c] f32
    const float *x,
    // places: [n, 2, 3] or [n, h_out + w_out, 4] f32
    const float *places,
    // y: [n, h_out, w_out, c] f32
    float *y
) {
    u32 i;
    if (!element(p.elements, i)) {
        return;
    }
    u32 channel = i % p.c;
    u32 pixel = i / p.c;
    u32 u = pixel % p.w_out;
    u32 v = pixel / p.w_out % p.h_out;
    u32 image = pixel / p.w_out / p.h_out;
    if (p.exact == 1) {
        y[i] = exact(p, x, places + image * 6, image, u, v, channel);
    } else {
        y[i] = opencv4(p, x, places + (u64)image * (p.h_out + p.w_out) * 4, image, u, v, channel);
    }
}
