// What the poolings share: their parameters, the window of an output, and the way through it.
#pragma once

#include "common.cuh"

struct Params {
    u32 h;
    u32 w;
    u32 c;
    u32 h_out;
    u32 w_out;
    u32 k_h;
    u32 k_w;
    u32 stride_y;
    u32 stride_x;
    // Elements of padding before the input.
    u32 pad_y;
    u32 pad_x;
    // n * h_out * w_out * c.
    u32 outputs;
    u32 y_offset;
    u32 y_stride;
};

// The part of an output's window that lies within the image, and where the output goes.
struct Window {
    u32 first_y, end_y, first_x, end_x;
    // The first row of the image, counted through all images.
    u32 top;
    u32 channel;
    // The output's element of y.
    u64 y;
};

static __device__ __forceinline__ Window window(const Params &p, u32 at) {
    u32 pixel = at / p.c;
    u32 channel = at - pixel * p.c;
    u32 row = pixel / p.w_out;
    u32 ox = pixel - row * p.w_out;
    u32 image = row / p.h_out;
    u32 oy = row - image * p.h_out;
    i32 top = (i32)(oy * p.stride_y) - (i32)p.pad_y;
    i32 left = (i32)(ox * p.stride_x) - (i32)p.pad_x;
    Window window;
    window.first_y = (u32)max(top, 0);
    window.first_x = (u32)max(left, 0);
    window.end_y = min((u32)(top + (i32)p.k_h), p.h);
    window.end_x = min((u32)(left + (i32)p.k_w), p.w);
    window.top = image * p.h;
    window.channel = channel;
    window.y = p.y_offset + (u64)pixel * p.y_stride + channel;
    return window;
}

// The element of x at row `iy`, column `ix` of a window's image and channel.
static __device__ __forceinline__ u64 place(const Params &p, const Window &window, u32 iy, u32 ix) {
    return (u64)((window.top + iy) * p.w + ix) * p.c + window.channel;
}

// Whether a thread takes eight neighbouring channels, which lie aligned: one reckoning of places, and one access of 16
// bytes, for all. The host counts threads by the same rule.
static __device__ __forceinline__ bool by_eights(const Params &p) {
    return (p.c | p.y_stride | p.y_offset) % 8 == 0;
}

template <class T>
__device__ __forceinline__ void load_channels(const T *x, float (&values)[1]) {
    values[0] = load(x);
}

template <class T>
__device__ __forceinline__ void load_channels(const T *x, float (&values)[8]) {
    load8(x, values);
}

template <class T>
__device__ __forceinline__ void store_channels(T *y, const float (&values)[1]) {
    store(y, values[0]);
}

template <class T>
__device__ __forceinline__ void store_channels(T *y, const float (&values)[8]) {
    store8(y, values);
}

// N channels of an output, from element `at` on. `Pool` says what begins with the first pixel, what each adds, and what
// becomes of all, of which there are so many.
template <class Pool, u32 N, class T>
__device__ __forceinline__ void pool_channels(const Params &p, u32 at, const T *x, T *y) {
    Window in = window(p, at);
    float values[N];
    float result[N];
    load_channels(x + place(p, in, in.first_y, in.first_x), values);
#pragma unroll
    for (u32 i = 0; i < N; i++) {
        result[i] = Pool::first(values[i]);
    }
    for (u32 iy = in.first_y; iy < in.end_y; iy++) {
        for (u32 ix = in.first_x; ix < in.end_x; ix++) {
            load_channels(x + place(p, in, iy, ix), values);
#pragma unroll
            for (u32 i = 0; i < N; i++) {
                result[i] = Pool::add(result[i], values[i]);
            }
        }
    }
    float pixels = (float)((in.end_y - in.first_y) * (in.end_x - in.first_x));
#pragma unroll
    for (u32 i = 0; i < N; i++) {
        result[i] = Pool::last(result[i], pixels);
    }
    store_channels(y + in.y, result);
}

// This thread's outputs.
template <class Pool, class T>
__device__ __forceinline__ void pool(const Params &p, const T *x, T *y) {
    u32 at;
    if (by_eights(p)) {
        if (element(p.outputs / 8, at)) {
            pool_channels<Pool, 8>(p, at * 8, x, y);
        }
    } else if (element(p.outputs, at)) {
        pool_channels<Pool, 1>(p, at, x, y);
    }
}
