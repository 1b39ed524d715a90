// Euclidean norm over the part of a sliding window that lies within the image.
//
//     y[image, oy, ox, c] = sqrt(sum over the window's pixels within the image of x[image, iy, ix, c]^2)
//
// One thread an output, channels innermost, so that neighbouring threads read neighbouring elements.
// Operations: 2 * k_h * k_w an output. Bytes: x read once (through the cache), y written once.
// Targets: compute_75
// Hot: l2_pool2d_fwd_f32 l2_pool2d_fwd_f16 l2_pool2d_fwd_bf16

#include "pool2d.cuh"

template <class T>
__device__ void l2_pool2d_fwd(
    const Params &p,
    // x: [n, h, w, c] T
    const T *x,
    // y: [n, h_out, w_out, c] T, rows y_stride apart
    T *y
) {
    u32 at;
    if (!element(p.outputs, at)) {
        return;
    }
    Window in = window(p, at);
    float sum = 0.0f;
    for (u32 iy = in.first_y; iy < in.end_y; iy++) {
        for (u32 ix = in.first_x; ix < in.end_x; ix++) {
            float value = load(x + place(p, in, iy, ix));
            sum += value * value;
        }
    }
    store(y + in.y, sqrtf(sum));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) l2_pool2d_fwd_##SUFFIX(const Params p, const T *x, T *y) {       \
        l2_pool2d_fwd(p, x, y);                                                                                        \
    }
EVERY_DTYPE(KERNEL)
