// What crops and paddings share: a window of an image, zero outside it.
#pragma once

#include "common.cuh"

struct Params {
    u32 elements;
    u32 h;
    u32 w;
    u32 c;
    u32 h_out;
    u32 w_out;
    // Where the window begins, in pixels of the image.
    i32 top;
    i32 left;
};

template <class T>
__device__ __forceinline__ void crop(
    const Params &p,
    // x: [n, h, w, c] T
    const T *x,
    // y: [n, h_out, w_out, c] T
    T *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u32 pixel = at / p.c;
    u32 row = pixel / p.w_out;
    u32 image = row / p.h_out;
    i32 iy = (i32)(row % p.h_out) + p.top;
    i32 ix = (i32)(pixel % p.w_out) + p.left;
    T value{};
    if (iy >= 0 && iy < (i32)p.h && ix >= 0 && ix < (i32)p.w) {
        value = x[(u64)((image * p.h + (u32)iy) * p.w + (u32)ix) * p.c + at % p.c];
    }
    y[at] = value;
}
