// What the gradients of the two poolings share: their parameters, and the windows that cover an element.
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
    // n * h * w * c.
    u32 elements;
};

// Along one axis: the windows that cover `place`, and the part of a window that lies within the image.
struct Span {
    u32 first;
    u32 end;
};

static __device__ __forceinline__ Span covering(u32 place, u32 pad, u32 kernel, u32 stride, u32 out) {
    u32 at = place + pad;
    u32 first = at + 1 > kernel ? (at + 1 - kernel + stride - 1) / stride : 0;
    return Span{first, min(at / stride + 1, out)};
}

static __device__ __forceinline__ Span within(u32 window, u32 pad, u32 kernel, u32 stride, u32 extent) {
    u32 at = window * stride;
    return Span{at > pad ? at - pad : 0, min(at + kernel - pad, extent)};
}

// An element of x: its place, and the windows that cover it.
struct Element {
    u32 channel;
    u32 ix;
    u32 iy;
    u32 image;
    Span rows;
    Span columns;

    __device__ __forceinline__ Element(const Params &p, u32 at) {
        u32 pixel = at / p.c;
        u32 row = pixel / p.w;
        channel = at - pixel * p.c;
        ix = pixel - row * p.w;
        image = row / p.h;
        iy = row - image * p.h;
        rows = covering(iy, p.pad_y, p.k_h, p.stride_y, p.h_out);
        columns = covering(ix, p.pad_x, p.k_w, p.stride_x, p.w_out);
    }

    // The element's channel of an output.
    __device__ __forceinline__ u64 output(const Params &p, u32 oy, u32 ox) const {
        return (u64)((image * p.h_out + oy) * p.w_out + ox) * p.c + channel;
    }
};
