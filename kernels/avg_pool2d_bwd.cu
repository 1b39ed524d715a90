// Gradient of the mean over a sliding window.
//
//     dx[i] = sum over the windows that cover i of dy[window] / pixels of the window within the image
//
// One thread an element of x, channels innermost. Operations: k_h * k_w an output. Bytes: dy read once (through the
// cache), dx written once.
// Targets: compute_75
// Hot: avg_pool2d_bwd_f32 avg_pool2d_bwd_f16 avg_pool2d_bwd_bf16

#include "pool2d_bwd.cuh"

template <class T>
__device__ void avg_pool2d_bwd(
    const Params &p,
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
    float sum = 0.0f;
    for (u32 oy = in.rows.first; oy < in.rows.end; oy++) {
        Span y = within(oy, p.pad_y, p.k_h, p.stride_y, p.h);
        for (u32 ox = in.columns.first; ox < in.columns.end; ox++) {
            Span x = within(ox, p.pad_x, p.k_w, p.stride_x, p.w);
            sum += load(dy + in.output(p, oy, ox)) / (float)((y.end - y.first) * (x.end - x.first));
        }
    }
    store(dx + at, sum);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) avg_pool2d_bwd_##SUFFIX(const Params p, const T *dy, T *dx) {    \
        avg_pool2d_bwd(p, dy, dx);                                                                                     \
    }
EVERY_DTYPE(KERNEL)
