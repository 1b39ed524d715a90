// Pillow's antialiased bilinear filter on bytes (whole numbers held as floats), bit for bit with the CPU's.
//
//     y = byte((1/2 + sum over taps of weight * x) >> 22), along one axis and then along the other
//
// The host makes the fixed-point taps. One thread an output: it redoes the first pass for the few samples that it
// needs, rather than keeping the picture between the passes. Bytes: x read, y written once, through the cache.
// Operations: 2 * taps_x * taps_y an output.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 h;
    u32 w;
    u32 h_out;
    u32 w_out;
    // n * h_out * w_out * 3.
    u32 outputs;
    // 1: the columns are filtered first, which a byte between the passes makes visible.
    u32 columns_first;
    // Where the taps of the rows begin in `taps`; those of the columns begin at 0.
    u32 rows;
};

struct Tap {
    u32 source;
    i32 weight;
};

static __device__ __forceinline__ i32 byte(i32 sum) {
    return min(max(sum >> 22, 0), 255);
}

static __device__ __forceinline__ i32 at(const Params &p, const float *x, u32 image_row, u32 column, u32 channel) {
    return (i32)x[(u64)(image_row * p.w + column) * 3 + channel];
}

extern "C" __global__ void __launch_bounds__(256) resize_bilinear_fwd_f32(
    const Params p,
    // x: [n, h, w, 3] f32
    const float *x,
    // taps: [w_out + 1 and h_out + 1 first taps, then taps] of Tap
    const Tap *__restrict__ taps,
    // y: [n, h_out, w_out, 3] f32
    float *y
) {
    u32 i;
    if (!element(p.outputs, i)) {
        return;
    }
    u32 channel = i % 3;
    u32 pixel = i / 3;
    u32 ox = pixel % p.w_out;
    u32 oy = pixel / p.w_out % p.h_out;
    u32 top = pixel / p.w_out / p.h_out * p.h;
    i32 half = 1 << 21;
    u32 first_row = taps[p.rows + oy].source;
    u32 end_row = taps[p.rows + oy + 1].source;
    u32 first_column = taps[ox].source;
    u32 end_column = taps[ox + 1].source;
    i32 sum = half;
    if (p.columns_first == 1) {
        for (u32 j = first_column; j < end_column; j++) {
            i32 down = half;
            // Unrolled further, the addresses of taps and samples spill on Hopper and later.
#pragma unroll 2
            for (u32 k = first_row; k < end_row; k++) {
                down += at(p, x, top + taps[k].source, taps[j].source, channel) * taps[k].weight;
            }
            sum += byte(down) * taps[j].weight;
        }
    } else {
        for (u32 k = first_row; k < end_row; k++) {
            i32 across = half;
#pragma unroll 2
            for (u32 j = first_column; j < end_column; j++) {
                across += at(p, x, top + taps[k].source, taps[j].source, channel) * taps[j].weight;
            }
            sum += byte(across) * taps[k].weight;
        }
    }
    y[i] = (float)byte(sum);
}
