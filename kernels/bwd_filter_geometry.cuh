// What the gradients of filters share: their parameters, and where a pixel's window lies in x.
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

// Where an output pixel's window begins: the image, its first row among all images', first row, first column.
struct Window {
    u32 image;
    u32 top;
    i32 y;
    i32 x;
};

// Division by a number that stays: by the reciprocal, in 2^32nds and rounded up, which is at most one too many.
struct Divisor {
    u32 by;
    u32 reciprocal;

    __device__ __forceinline__ Divisor(u32 by) : by(by), reciprocal(0xffffffffu / by + 1) {
    }

    __device__ __forceinline__ u32 divide(u32 x) const {
        if (by == 1) {
            return x;
        }
        u32 quotient = __umulhi(x, reciprocal);
        return quotient * by > x ? quotient - 1 : quotient;
    }
};

// The conv geometry: the window of any pixel.
struct ConvGeometry {
    const Params &p;
    Divisor columns;
    Divisor rows;

    __device__ __forceinline__ ConvGeometry(const Params &p) : p(p), columns(p.w_out), rows(p.h_out) {
    }

    __device__ __forceinline__ Window window(u32 pixel) const {
        u32 row = columns.divide(pixel);
        u32 image = rows.divide(row);
        u32 oy = row - image * p.h_out;
        u32 ox = pixel - row * p.w_out;
        return Window{
            image, image * p.h, (i32)(oy * p.stride_y) - (i32)p.pad_y, (i32)(ox * p.stride_x) - (i32)p.pad_x
        };
    }
};

// The element at a place of a window, or null in the padding and past the last.
template <class T>
__device__ __forceinline__ const T *element(const Params &p, const T *x, const Window &window, const Tap &tap) {
    i32 iy = window.y + (i32)tap.ky;
    i32 ix = window.x + (i32)tap.kx;
    bool inside = tap.there && iy >= 0 && iy < (i32)p.h && ix >= 0 && ix < (i32)p.w;
    return inside ? x + (u64)((window.top + (u32)iy) * p.w + (u32)ix) * p.c_in + tap.c : nullptr;
}

} // namespace bwd_filter
