// A window of an image, zero outside it.
//
//     y[image, r, q] = x[image, r + top, q + left], or 0
//
// One thread an element. Operations: 0 an element. Bytes: each input read once, y written once.
// Targets: compute_75
// Hot: crop_fwd_f32 crop_fwd_f16 crop_fwd_bf16

#include "crop.cuh"

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) crop_fwd_##SUFFIX(const Params p, const T *x, T *y) {            \
        crop(p, x, y);                                                                                                 \
    }
EVERY_DTYPE(KERNEL)
