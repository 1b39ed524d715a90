// Maximum over a sliding window; padding never wins.
//
//     y[image, oy, ox, c] = max over the window's pixels within the image of x[image, iy, ix, c]
//
// One thread an output, or eight channels of one where channels come in eights; channels innermost, so that neighbouring
// threads read neighbouring elements.
// Operations: k_h * k_w an output. Bytes: x read once (through the cache), y written once.
// Targets: compute_75
// Hot: max_pool2d_fwd_f32 max_pool2d_fwd_f16 max_pool2d_fwd_bf16

#include "pool2d.cuh"

struct Maximum {
    static __device__ __forceinline__ float first(float value) {
        return value;
    }

    static __device__ __forceinline__ float add(float result, float value) {
        return fmaxf(result, value);
    }

    static __device__ __forceinline__ float last(float result, float) {
        return result;
    }
};

// x: [n, h, w, c] T
// y: [n, h_out, w_out, c] T, rows y_stride apart
#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) max_pool2d_fwd_##SUFFIX(const Params p, const T *x, T *y) {      \
        pool<Maximum>(p, x, y);                                                                                        \
    }
EVERY_DTYPE(KERNEL)
