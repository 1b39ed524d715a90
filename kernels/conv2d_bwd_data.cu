// Gradient of a strided convolution with respect to its input: its phases put together.
//
// Pixels of x whose place in the padded image leaves the same remainder by the stride are met by the same taps: each such
// phase is a plain convolution of dy with those taps, which conv2d computes. A convolution of stride 1 has one phase,
// which conv2d writes to dx itself.
//
//     dx[image, iy, ix, c] = phase[(iy + pad_y) % stride_y, (ix + pad_x) % stride_x][image, row, column, c]
//
// One thread an element. Bytes: the phases read once, dx written once.
// Targets: compute_75
// Hot: conv2d_bwd_data_f32 conv2d_bwd_data_f16 conv2d_bwd_data_bf16

#include "common.cuh"

struct Params {
    // n * h * w * c.
    u32 elements;
    u32 h;
    u32 w;
    u32 c;
    u32 stride_y;
    u32 stride_x;
    // Elements of padding before the input.
    u32 pad_y;
    u32 pad_x;
};

template <class T>
__device__ void conv2d_bwd_data(
    const Params &p,
    // phases: [n, rows, columns, c] T, one phase after the other
    const T *phases,
    // table: [stride_y, stride_x, 3] of each phase its first element, or none, its rows and its columns
    const u32 *table,
    // dx: [n, h, w, c] T
    T *dx
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u32 pixel = at / p.c;
    u32 line = pixel / p.w;
    u32 ix = pixel - line * p.w;
    u32 image = line / p.h;
    u32 iy = line - image * p.h;
    const u32 *phase = table + ((iy + p.pad_y) % p.stride_y * p.stride_x + (ix + p.pad_x) % p.stride_x) * 3;
    T value = from_f32<T>(0.0f);
    if (phase[0] != 0xffffffffu) {
        u64 row = (u64)image * phase[1] + iy / p.stride_y;
        value = phases[phase[0] + (row * phase[2] + ix / p.stride_x) * p.c + (at - pixel * p.c)];
    }
    dx[at] = value;
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        conv2d_bwd_data_##SUFFIX(const Params p, const T *phases, const u32 *__restrict__ table, T *dx) {              \
        conv2d_bwd_data(p, phases, table, dx);                                                                         \
    }
EVERY_DTYPE(KERNEL)
