// Convolution whose filters are not shared between positions (DeepFace's locally connected layers), VALID.
//
//     y[image, position, o] = act(b[position, o] + sum over ky, kx, c of x[..] * w[position, o, ky, kx, c])
//
// One thread an output. Operations: 2 * k_h * k_w * c_in an output. Bytes: w read once per image, which is the bound.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 h;
    u32 w;
    u32 c_in;
    u32 h_out;
    u32 w_out;
    u32 c_out;
    u32 k_h;
    u32 k_w;
    u32 stride_y;
    u32 stride_x;
    // n * h_out * w_out * c_out.
    u32 outputs;
    // 1 for a rectifier.
    u32 relu;
};

template <class T>
__device__ void local_conv2d_fwd(
    const Params &p,
    // x: [n, h, w, c_in] T
    const T *x,
    // w: [h_out, w_out, c_out, k_h, k_w, c_in] T
    const T *w,
    // b: [h_out, w_out, c_out] f32
    const float *b,
    // y: [n, h_out, w_out, c_out] T
    T *y
) {
    u32 at;
    if (!element(p.outputs, at)) {
        return;
    }
    u32 per_image = p.h_out * p.w_out * p.c_out;
    u32 image = at / per_image;
    u32 local = at % per_image;
    u32 oy = local / p.c_out / p.w_out;
    u32 ox = local / p.c_out % p.w_out;
    float sum = b[local];
    for (u32 ky = 0; ky < p.k_h; ky++) {
        u32 pixel = (image * p.h + oy * p.stride_y + ky) * p.w + ox * p.stride_x;
        const T *row = x + (u64)pixel * p.c_in;
        const T *filter_row = w + ((u64)local * p.k_h + ky) * p.k_w * p.c_in;
        for (u32 i = 0; i < p.k_w * p.c_in; i++) {
            sum += load(row + i) * load(filter_row + i);
        }
    }
    store(y + at, p.relu == 1 ? fmaxf(sum, 0.0f) : sum);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) local_conv2d_fwd_##SUFFIX(                                       \
        const Params p, const T *x, const T *__restrict__ w, const float *__restrict__ b, T *y                         \
    ) {                                                                                                                \
        local_conv2d_fwd(p, x, w, b, y);                                                                               \
    }
EVERY_DTYPE(KERNEL)
