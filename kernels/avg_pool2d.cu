// Mean over the part of a sliding window that lies within the image.
//
//     y[image, oy, ox, c] = sum over the window's pixels within the image of x[image, iy, ix, c] / their number
//
// One thread an output, or eight channels of one where channels come in eights; channels innermost, so that neighbouring
// threads read neighbouring elements.
// Operations: k_h * k_w an output. Bytes: x read once (through the cache), y written once.
// Targets: compute_75
// Hot: avg_pool2d_fwd_f32 avg_pool2d_fwd_f16 avg_pool2d_fwd_bf16

#include "pool2d.cuh"

struct Mean {
    static __device__ __forceinline__ float first(float) {
        return 0.0f;
    }

    static __device__ __forceinline__ float add(float result, float value) {
        return result + value;
    }

    static __device__ __forceinline__ float last(float result, float pixels) {
        return result / pixels;
    }
};

// x: [n, h, w, c] T
// y: [n, h_out, w_out, c] T, rows y_stride apart
#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) avg_pool2d_fwd_##SUFFIX(const Params p, const T *x, T *y) {      \
        pool<Mean>(p, x, y);                                                                                           \
    }
EVERY_DTYPE(KERNEL)
