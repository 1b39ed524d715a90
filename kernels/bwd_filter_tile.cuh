// The gradients of filters by multiply-adds in f32.
//
// A block of 256 threads makes 64 o by 64 k, a thread 4 by 4. Shared memory holds two stages of 16 pixels: while one is
// multiplied the next is loaded into registers. Per stage and block: 8 KiB read, 65,536 multiply-adds.
#pragma once

#include "bwd_filter_geometry.cuh"

namespace bwd_filter {

// Pixels of a stage, o and k of a block.
enum : u32 { PIXELS = 16, WIDTH = 64 };

// Four neighbours along k of a window: of one tap where the channels come in fours.
template <class T>
__device__ __forceinline__ float4 four(const Params &p, const T *x, const Window &window, const Tap (&taps)[4]) {
    if (p.c_in % 4 == 0) {
        const T *from = element(p, x, window, taps[0]);
        return from ? load4(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    float values[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        const T *from = element(p, x, window, taps[i]);
        values[i] = from ? load(from) : 0.0f;
    }
    return make_float4(values[0], values[1], values[2], values[3]);
}

// Four neighbours along o of a pixel of dy.
template <class T>
__device__ __forceinline__ float4 four(const Params &p, const T *dy, u32 pixel, u32 o) {
    const T *from = dy + (u64)pixel * p.c_out + o;
    if (p.c_out % 4 == 0) {
        return o < p.c_out ? load4(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    float values[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        values[i] = o + i < p.c_out ? load(from + i) : 0.0f;
    }
    return make_float4(values[0], values[1], values[2], values[3]);
}

template <class T>
__device__ __forceinline__ void tile_kernel(const Params &p, const T *x, const T *dy, float *partial) {
    // dy: [2, 16 pixels, 64 o] f32, x: [2, 16 pixels, 64 k] f32
    __shared__ float4 shared_dy[2][PIXELS][WIDTH / 4];
    __shared__ float4 shared_x[2][PIXELS][WIDTH / 4];
    u32 row = threadIdx.x / 16;
    u32 lane = threadIdx.x % 16;
    u32 first_o = blockIdx.y * WIDTH;
    u32 first_k = blockIdx.x * WIDTH;
    Tap taps[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        taps[i] = tap(p, first_k + lane * 4 + i);
    }
    ConvGeometry geometry(p);
    u32 begin = blockIdx.z * p.chunk;
    u32 end = min(begin + p.chunk, p.pixels);
    float4 next_dy, next_x;
    auto load_stage = [&](u32 base) {
        u32 pixel = base + row;
        next_dy = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        next_x = next_dy;
        if (pixel < end) {
            next_dy = four(p, dy, pixel, first_o + lane * 4);
            next_x = four(p, x, geometry.window(pixel), taps);
        }
    };
    float sums[4][4] = {};
    load_stage(begin);
    shared_dy[0][row][lane] = next_dy;
    shared_x[0][row][lane] = next_x;
    __syncthreads();
    u32 half = 0;
    for (u32 base = begin; base < end; base += PIXELS) {
        bool more = base + PIXELS < end;
        if (more) {
            load_stage(base + PIXELS);
        }
#pragma unroll
        for (u32 i = 0; i < PIXELS; i++) {
            float4 a = shared_dy[half][i][row];
            float4 b = shared_x[half][i][lane];
            const float rows[4] = {a.x, a.y, a.z, a.w};
#pragma unroll
            for (u32 j = 0; j < 4; j++) {
                sums[j][0] += rows[j] * b.x;
                sums[j][1] += rows[j] * b.y;
                sums[j][2] += rows[j] * b.z;
                sums[j][3] += rows[j] * b.w;
            }
        }
        // The other half was last read before the previous barrier.
        half ^= 1;
        if (more) {
            shared_dy[half][row][lane] = next_dy;
            shared_x[half][row][lane] = next_x;
        }
        __syncthreads();
    }
#pragma unroll
    for (u32 j = 0; j < 4; j++) {
        u32 o = first_o + row * 4 + j;
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            u32 k = first_k + lane * 4 + i;
            if (o < p.c_out && k < p.k) {
                partial[((u64)blockIdx.z * p.c_out + o) * p.k + k] = sums[j][i];
            }
        }
    }
}

} // namespace bwd_filter
