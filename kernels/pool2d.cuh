// What the two poolings share: their parameters, and the window of an output.
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
