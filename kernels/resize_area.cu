// OpenCV's INTER_AREA, on floats and on bytes (whole numbers held as floats), bit for bit with the CPU's.
//
//     area:   y = sum over rows of weight * (sum over columns of weight * x), the overlaps of the destination's cell
//     block:  y = mean of factor_y x factor_x pixels, where both factors are whole
//     linear: y = bilinear with weights that are areas, where some axis grows
//
// The host makes the taps of both axes: f64 decides them. One thread an output, summed in OpenCV's order; products and
// sums are rounded one by one, as there. Operations: 2 an input pixel and 2 an output pixel. Bytes: x read once, y
// written once.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 h;
    u32 w;
    u32 c;
    u32 h_out;
    u32 w_out;
    // n * h_out * w_out * c.
    u32 outputs;
    // 0 area, 1 block, 2 linear.
    u32 method;
    u32 factor_y;
    u32 factor_x;
    // 1: values are bytes.
    u32 bytes;
    // Where the taps of the rows begin in `taps`; those of the columns begin at 0.
    u32 rows;
    // Always 0; the shader needs it, here there are instructions that do not fuse.
    u32 zero;
};

struct Tap {
    // area: source and weight; linear: first and second source, weight of the second.
    u32 first;
    u32 second;
    float weight;
};

static __device__ __forceinline__ float byte(const Params &p, float value) {
    return p.bytes == 1 ? rintf(fminf(fmaxf(value, 0.0f), 255.0f)) : value;
}

// `image_row` counts rows of all images.
static __device__ __forceinline__ float
at(const Params &p, const float *x, u32 image_row, u32 column, u32 channel) {
    return x[(u64)(image_row * p.w + column) * p.c + channel];
}

static __device__ float
area(const Params &p, const float *x, const Tap *taps, u32 top, u32 oy, u32 ox, u32 channel) {
    float sum = 0.0f;
    for (u32 i = taps[p.rows + oy].first; i < taps[p.rows + oy + 1].first; i++) {
        Tap row = taps[i];
        float across = 0.0f;
        for (u32 j = taps[ox].first; j < taps[ox + 1].first; j++) {
            float value = at(p, x, top + row.first, taps[j].first, channel);
            across = __fadd_rn(across, __fmul_rn(value, taps[j].weight));
        }
        sum = __fadd_rn(sum, __fmul_rn(row.weight, across));
    }
    return byte(p, sum);
}

static __device__ float block(const Params &p, const float *x, u32 top, u32 oy, u32 ox, u32 channel) {
    u32 count = p.factor_y * p.factor_x;
    float inverse = 1.0f / (float)count;
    float sum = 0.0f;
    float four = 0.0f;
    for (u32 i = 0; i < count; i++) {
        float value = at(p, x, top + oy * p.factor_y + i / p.factor_x, ox * p.factor_x + i % p.factor_x, channel);
        // Floats are added by fours, as long as there are four; whole numbers are exact in any order.
        if (i < count / 4 * 4) {
            four += value;
            if (i % 4 == 3) {
                sum += four;
                four = 0.0f;
            }
        } else {
            sum += value;
        }
    }
    // Quarters of bytes are rounded up, for the channels that OpenCV's vector code knows.
    if (p.bytes == 1 && p.factor_y == 2 && p.factor_x == 2 && (p.c == 1 || p.c == 3 || p.c == 4)) {
        return floorf((sum + 2.0f) * 0.25f);
    }
    return byte(p, sum * inverse);
}

// first * (1 - weight) + second * weight.
static __device__ __forceinline__ float between(float first, float second, float weight) {
    return __fadd_rn(__fmul_rn(first, 1.0f - weight), __fmul_rn(second, weight));
}

static __device__ float
linear(const Params &p, const float *x, const Tap *taps, u32 top, u32 oy, u32 ox, u32 channel) {
    Tap row = taps[p.rows + oy];
    Tap column = taps[ox];
    float corners[4] = {
        at(p, x, top + row.first, column.first, channel),
        at(p, x, top + row.first, column.second, channel),
        at(p, x, top + row.second, column.first, channel),
        at(p, x, top + row.second, column.second, channel),
    };
    if (p.bytes == 1) {
        // 11 fractional bits across, 11 more down, dropped in three steps.
        i32 across[2] = {(i32)rintf((1.0f - column.weight) * 2048.0f), (i32)rintf(column.weight * 2048.0f)};
        i32 down[2] = {(i32)rintf((1.0f - row.weight) * 2048.0f), (i32)rintf(row.weight * 2048.0f)};
        i32 first = (i32)corners[0] * across[0] + (i32)corners[1] * across[1];
        i32 second = (i32)corners[2] * across[0] + (i32)corners[3] * across[1];
        i32 sum = ((down[0] * (first >> 4)) >> 16) + ((down[1] * (second >> 4)) >> 16);
        return (float)((sum + 2) >> 2);
    }
    float first = between(corners[0], corners[1], column.weight);
    float second = between(corners[2], corners[3], column.weight);
    return between(first, second, row.weight);
}

extern "C" __global__ void __launch_bounds__(256) resize_area_fwd_f32(
    const Params p,
    // x: [n, h, w, c] f32
    const float *x,
    // taps: [w_out + 1 and h_out + 1 first taps, then taps] of Tap
    const Tap *__restrict__ taps,
    // y: [n, h_out, w_out, c] f32
    float *y
) {
    u32 i;
    if (!element(p.outputs, i)) {
        return;
    }
    u32 channel = i % p.c;
    u32 pixel = i / p.c;
    u32 ox = pixel % p.w_out;
    u32 oy = pixel / p.w_out % p.h_out;
    u32 top = pixel / p.w_out / p.h_out * p.h;
    switch (p.method) {
    case 0: y[i] = area(p, x, taps, top, oy, ox, channel); break;
    case 1: y[i] = block(p, x, top, oy, ox, channel); break;
    default: y[i] = linear(p, x, taps, top, oy, ox, channel);
    }
}
