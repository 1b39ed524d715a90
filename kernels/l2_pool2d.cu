// Euclidean norm over the part of a sliding window that lies within the image.
//
//     y[image, oy, ox, c] = sqrt(sum over the window's pixels within the image of x[image, iy, ix, c]^2)
//
// One thread an output, or eight channels of one where channels come in eights; channels innermost, so that neighbouring
// threads read neighbouring elements.
// Operations: 2 * k_h * k_w an output. Bytes: x read once (through the cache), y written once.
// Targets: compute_75
// Hot: l2_pool2d_fwd_f32 l2_pool2d_fwd_f16 l2_pool2d_fwd_bf16

#include "pool2d.cuh"

struct Norm {
    static __device__ __forceinline__ float first(float) {
        return 0.0f;
    }

    static __device__ __forceinline__ float add(float result, float value) {
        return result + value * value;
    }

    static __device__ __forceinline__ float last(float result, float) {
        return sqrtf(result);
    }
};

// x: [n, h, w, c] T
// y: [n, h_out, w_out, c] T, rows y_stride apart
#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) l2_pool2d_fwd_##SUFFIX(const Params p, const T *x, T *y) {       \
        pool<Norm>(p, x, y);                                                                                           \
    }
EVERY_DTYPE(KERNEL)
