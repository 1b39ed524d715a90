// Gradient of the maximum over a sliding window.
//
//     dx[i] = sum of dy over the windows of which i is the maximum; of equal maxima the first has it all
//
// One thread an element of x, channels innermost: where the element equals a window's maximum, the elements of the window
// before it are looked at. Operations: k_h * k_w an output. Bytes: each input read once (through the cache), dx written
// once.
// Targets: compute_75
// Hot: max_pool2d_bwd_f32 max_pool2d_bwd_f16 max_pool2d_bwd_bf16

#include "pool2d_bwd.cuh"

// Whether no element of a window before that at row `iy`, column `ix` equals `most`.
template <class T>
__device__ __forceinline__ bool is_first(const Params &p, const Element &in, const T *x, u32 oy, u32 ox, float most) {
    u32 top = within(oy, p.pad_y, p.k_h, p.stride_y, p.h).first;
    Span columns = within(ox, p.pad_x, p.k_w, p.stride_x, p.w);
    for (u32 iy = top; iy <= in.iy; iy++) {
        u32 end = iy == in.iy ? in.ix : columns.end;
        for (u32 ix = columns.first; ix < end; ix++) {
            if (load(x + (u64)((in.image * p.h + iy) * p.w + ix) * p.c + in.channel) == most) {
                return false;
            }
        }
    }
    return true;
}

template <class T>
__device__ void max_pool2d_bwd(
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
            if (load(y + output) == own && is_first(p, in, x, oy, ox, own)) {
                sum += load(dy + output);
            }
        }
    }
    store(dx + at, sum);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        max_pool2d_bwd_##SUFFIX(const Params p, const T *x, const T *y, const T *dy, T *dx) {                          \
        max_pool2d_bwd(p, x, y, dy, dx);                                                                               \
    }
EVERY_DTYPE(KERNEL)
