// Gradient of the Euclidean norm over a sliding window.
//
//     dx[i] = sum over the windows that cover i of dy[window] * x[i] / y[window]; a window of zeros gives 0
//
// One thread an element of x, channels innermost. Operations: 3 * k_h * k_w an output. Bytes: each input read once (through
// the cache), dx written once.
// Targets: compute_75
// Hot: l2_pool2d_bwd_f32 l2_pool2d_bwd_f16 l2_pool2d_bwd_bf16

#include "pool2d_bwd.cuh"

template <class T>
__device__ void l2_pool2d_bwd(
    const Params &p,
    // x: [n, h, w, c] T
    const T *x,
    // y: [n, h_out, w_out, c] T
    const T *y,
    // dy: [n, h_out, w_out, c] T
    const T *dy,
    // dx: [n, h, w, c] T
    T *dx
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    Element in(p, at);
    float own = load(x + at);
    float sum = 0.0f;
    for (u32 oy = in.rows.first; oy < in.rows.end; oy++) {
        for (u32 ox = in.columns.first; ox < in.columns.end; ox++) {
            u64 output = in.output(p, oy, ox);
            float norm = load(y + output);
            if (norm > 0.0f) {
                sum += load(dy + output) * (own / norm);
            }
        }
    }
    store(dx + at, sum);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        l2_pool2d_bwd_##SUFFIX(const Params p, const T *x, const T *y, const T *dy, T *dx) {                           \
        l2_pool2d_bwd(p, x, y, dy, dx);                                                                                \
    }
EVERY_DTYPE(KERNEL)
