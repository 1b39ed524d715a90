// The matrix product under the gradients of filters: of dy, transposed, and the windows of x, over output pixels.
//
//     partial[chunk, o, k] = sum over the chunk's pixels of dy[pixel, o] * x[element k of the pixel's window]
//
// Pixels are cut into chunks so that there are blocks enough; their length is chosen by the extents alone, and a second
// kernel adds the chunks' sums in order: two runs give the same bits.
//
// `tile`: a block of 256 threads makes 64 o by 64 k, a thread 4 by 4; pieces of 16 pixels lie in shared memory, twice:
// while one is used the next is under way in registers. Per piece and block: 8 KiB read, 65,536 multiply-adds.
#pragma once

#include "common.cuh"

struct Params {
    u32 h;
    u32 w;
    u32 c_in;
    u32 h_out;
    u32 w_out;
    u32 c_out;
    u32 k_w;
    u32 stride_y;
    u32 stride_x;
    // Elements of padding before the input.
    u32 pad_y;
    u32 pad_x;
    // Elements of a window: k_h * k_w * c_in.
    u32 k;
    // n * h_out * w_out.
    u32 pixels;
    // Pixels of a chunk, and chunks.
    u32 chunk;
    u32 chunks;
};

namespace bwd_filter {

// Pixels of a piece, o and k of a block.
enum : u32 { PIXELS = 16, WIDTH = 64 };

// A place in a window.
struct Tap {
    u32 ky;
    u32 kx;
    u32 c;
    bool there;
};

static __device__ __forceinline__ Tap tap(const Params &p, u32 k) {
    u32 place = k / p.c_in;
    u32 ky = place / p.k_w;
    return Tap{ky, place - ky * p.k_w, k - place * p.c_in, k < p.k};
}

// Where an output pixel's window begins: the image's first row among all images', first row, first column.
struct Window {
    u32 top;
    i32 y;
    i32 x;
};

static __device__ __forceinline__ Window window(const Params &p, u32 pixel) {
    u32 row = pixel / p.w_out;
    u32 image = row / p.h_out;
    u32 oy = row - image * p.h_out;
    u32 ox = pixel - row * p.w_out;
    return Window{image * p.h, (i32)(oy * p.stride_y) - (i32)p.pad_y, (i32)(ox * p.stride_x) - (i32)p.pad_x};
}

// The element at a place of a window, or null in the padding and past the last.
template <class T>
__device__ __forceinline__ const T *element(const Params &p, const T *x, const Window &window, const Tap &tap) {
    i32 iy = window.y + (i32)tap.ky;
    i32 ix = window.x + (i32)tap.kx;
    bool inside = tap.there && iy >= 0 && iy < (i32)p.h && ix >= 0 && ix < (i32)p.w;
    return inside ? x + (u64)((window.top + (u32)iy) * p.w + (u32)ix) * p.c_in + tap.c : nullptr;
}

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
__device__ __forceinline__ void tile(const Params &p, const T *x, const T *dy, float *partial) {
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
    u32 begin = blockIdx.z * p.chunk;
    u32 end = min(begin + p.chunk, p.pixels);
    float4 next_dy, next_x;
    auto bring = [&](u32 base) {
        u32 pixel = base + row;
        next_dy = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        next_x = next_dy;
        if (pixel < end) {
            next_dy = four(p, dy, pixel, first_o + lane * 4);
            next_x = four(p, x, window(p, pixel), taps);
        }
    };
    float sums[4][4] = {};
    bring(begin);
    shared_dy[0][row][lane] = next_dy;
    shared_x[0][row][lane] = next_x;
    __syncthreads();
    u32 half = 0;
    for (u32 base = begin; base < end; base += PIXELS) {
        bool more = base + PIXELS < end;
        if (more) {
            bring(base + PIXELS);
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

// dw[i] = sum over chunks of partial[chunk, i].
static __device__ __forceinline__ void merge(const Params &p, const float *partial, float *dw) {
    u32 at;
    if (!::element(p.c_out * p.k, at)) {
        return;
    }
    float sum = 0.0f;
    for (u32 chunk = 0; chunk < p.chunks; chunk++) {
        sum += partial[(u64)chunk * p.c_out * p.k + at];
    }
    dw[at] = sum;
}

} // namespace bwd_filter

#define TILE(STEM, T, SUFFIX)                                                                                          \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_tile_##SUFFIX(const Params p, const T *x, const T *dy, float *partial, float *dw) {                     \
        bwd_filter::tile(p, x, dy, partial);                                                                           \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_merge_##SUFFIX(const Params p, const T *x, const T *dy, const float *partial, float *dw) {              \
        bwd_filter::merge(p, partial, dw);                                                                             \
    }
