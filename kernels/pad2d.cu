// Zeros around an image, or less of it.
//
//     y[image, r, q] = x[image, r + top, q + left], or 0; top and left are below zero where there is a border
//
// One thread an element. Operations: 0 an element. Bytes: each input read once, y written once.
// Targets: compute_75
// Hot: pad2d_fwd_f32 pad2d_fwd_f16 pad2d_fwd_bf16

#include "crop.cuh"

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) pad2d_fwd_##SUFFIX(const Params p, const T *x, T *y) {           \
        crop(p, x, y);                                                                                                 \
    }
EVERY_DTYPE(KERNEL)
