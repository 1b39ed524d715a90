// Rows of one pyramid level, of photographs of one size: OpenCV's INTER_AREA on bytes, rounded to bytes, normalized.
//
//     area:  y = round(sum over rows of weight * (sum over columns of weight * x))
//     block: y = mean of factor_y x factor_x pixels, where both factors are whole (1 for a copy)
//
// One thread a pixel. The same sums in the same order as on the CPU: levels are equal bit for bit, boxes depend on it.
// Operations: 2 a pixel read. Bytes: the photographs' rows read once (through the cache), 12 a pixel written.
// Targets: compute_75
// Hot: pyramid_f32

#include "cascade/head.cuh"

struct Params {
    // The photographs' extents, and the first one's first byte.
    u32 h;
    u32 w;
    u32 pixels;
    // Rows and columns made, the first row's place in the level, photographs.
    u32 rows;
    u32 columns;
    u32 first_row;
    u32 images;
    // 0 area, 1 block.
    u32 method;
    u32 factor_y;
    u32 factor_x;
    // Where the level's taps begin in `taps`: of its columns, of its rows.
    u32 taps_x;
    u32 taps_y;
    // Where the network's input begins in the arena.
    u32 y_offset;
    // Always 0; the shader needs it, here there are instructions that do not fuse.
    u32 zero;
};

struct Tap {
    // For the first entries of an axis: the place of a cell's first tap, relative to the axis's first entry.
    u32 source;
    float weight;
};

static __device__ __forceinline__ float3 pixel(const Params &p, const u32 *x, u32 first, u32 row, u32 column) {
    return samples(x, first + (row * p.w + column) * 3);
}

static __device__ __forceinline__ float byte(float value) {
    return rintf(fminf(fmaxf(value, 0.0f), 255.0f));
}

static __device__ float3 area(const Params &p, const u32 *x, const Tap *taps, u32 first, u32 oy, u32 ox) {
    float3 sum = make_float3(0.0f, 0.0f, 0.0f);
    for (u32 i = taps[p.taps_y + oy].source; i < taps[p.taps_y + oy + 1].source; i++) {
        Tap row = taps[p.taps_y + i];
        float3 across = make_float3(0.0f, 0.0f, 0.0f);
        for (u32 j = taps[p.taps_x + ox].source; j < taps[p.taps_x + ox + 1].source; j++) {
            Tap column = taps[p.taps_x + j];
            across = plus(across, times(pixel(p, x, first, row.source, column.source), column.weight));
        }
        sum = plus(sum, times(across, row.weight));
    }
    return make_float3(byte(sum.x), byte(sum.y), byte(sum.z));
}

static __device__ float3 block(const Params &p, const u32 *x, u32 first, u32 oy, u32 ox) {
    // Whole numbers: exact in any order.
    float3 sum = make_float3(0.0f, 0.0f, 0.0f);
    for (u32 i = 0; i < p.factor_y; i++) {
        for (u32 j = 0; j < p.factor_x; j++) {
            sum = plus(sum, pixel(p, x, first, oy * p.factor_y + i, ox * p.factor_x + j));
        }
    }
    // Quarters are rounded up by OpenCV's vector code.
    if (p.factor_y == 2 && p.factor_x == 2) {
        sum = times(plus(sum, make_float3(2.0f, 2.0f, 2.0f)), 0.25f);
        return make_float3(floorf(sum.x), floorf(sum.y), floorf(sum.z));
    }
    sum = times(sum, 1.0f / (float)(p.factor_y * p.factor_x));
    return make_float3(byte(sum.x), byte(sum.y), byte(sum.z));
}

extern "C" __global__ void __launch_bounds__(256) pyramid_f32(
    const Params p,
    // x: [bytes / 4] u32: photographs [h, w, 3] u8, one after the other
    const u32 *__restrict__ x,
    // taps: [levels, axes: extent + 1 first taps, then taps] of Tap
    const Tap *__restrict__ taps,
    // y: [arena] f32; from y_offset on [images, rows, columns, 3]
    float *y
) {
    u32 at;
    if (!element(p.images * p.rows * p.columns, at)) {
        return;
    }
    u32 ox = at % p.columns;
    u32 oy = at / p.columns % p.rows + p.first_row;
    u32 image = at / p.columns / p.rows;
    u32 first = p.pixels + image * p.h * p.w * 3;
    float3 value = p.method == 0 ? area(p, x, taps, first, oy, ox) : block(p, x, first, oy, ox);
    put(y + p.y_offset + (u64)at * 3, value);
}
