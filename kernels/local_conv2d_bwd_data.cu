// Gradient of a locally connected layer with respect to its input.
//
//     dx[image, i, c] = sum over the windows p that cover i, and o, of dy[image, p, o] * w[p, o, i within p, c]
//
// One thread an element of four images of x, channels innermost, then images: an element of w meets one element of each
// image, and threads that share it are neighbours. Operations: 2 * k_h * k_w * c_in an output. Bytes: w read from memory
// once, which is the bound.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 n;
    u32 h;
    u32 w;
    u32 c_in;
    u32 h_out;
    u32 w_out;
    u32 c_out;
    u32 k_h;
    u32 k_w;
    u32 stride_y;
    u32 stride_x;
};

enum : u32 { IMAGES = 4 };

template <class T>
__device__ void local_conv2d_bwd_data(
    const Params &p,
    // dy: [n, h_out, w_out, c_out] T
    const T *dy,
    // w: [h_out, w_out, c_out, k_h, k_w, c_in] T
    const T *w,
    // dx: [n, h, w, c_in] T
    T *dx
) {
    u32 at;
    u32 fours = (p.n + IMAGES - 1) / IMAGES;
    if (!element(fours * p.h * p.w * p.c_in, at)) {
        return;
    }
    u32 row = at / p.c_in;
    u32 c = at - row * p.c_in;
    u32 pixel = row / fours;
    u32 four = row - pixel * fours;
    u32 iy = pixel / p.w;
    u32 ix = pixel - iy * p.w;
    const T *outputs[IMAGES];
#pragma unroll
    for (u32 i = 0; i < IMAGES; i++) {
        // Images past the last are the last once more, and not kept.
        u32 image = min(four * IMAGES + i, p.n - 1);
        outputs[i] = dy + (u64)image * p.h_out * p.w_out * p.c_out;
    }
    u32 first_y = iy + 1 > p.k_h ? (iy + 1 - p.k_h + p.stride_y - 1) / p.stride_y : 0;
    u32 first_x = ix + 1 > p.k_w ? (ix + 1 - p.k_w + p.stride_x - 1) / p.stride_x : 0;
    float sums[IMAGES] = {};
    for (u32 oy = first_y; oy < p.h_out && oy * p.stride_y <= iy; oy++) {
        for (u32 ox = first_x; ox < p.w_out && ox * p.stride_x <= ix; ox++) {
            u32 place = oy * p.w_out + ox;
            u32 tap = (iy - oy * p.stride_y) * p.k_w + (ix - ox * p.stride_x);
            const T *filter = w + ((u64)place * p.c_out * p.k_h * p.k_w + tap) * p.c_in + c;
            for (u32 o = 0; o < p.c_out; o++) {
                float weight = load(filter + (u64)o * p.k_h * p.k_w * p.c_in);
#pragma unroll
                for (u32 i = 0; i < IMAGES; i++) {
                    sums[i] += load(outputs[i] + place * p.c_out + o) * weight;
                }
            }
        }
    }
#pragma unroll
    for (u32 i = 0; i < IMAGES; i++) {
        u32 image = four * IMAGES + i;
        if (image < p.n) {
            store(dx + (((u64)image * p.h + iy) * p.w + ix) * p.c_in + c, sums[i]);
        }
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        local_conv2d_bwd_data_##SUFFIX(const Params p, const T *dy, const T *__restrict__ w, T *dx) {                  \
        local_conv2d_bwd_data(p, dy, w, dx);                                                                           \
    }
EVERY_DTYPE(KERNEL)
