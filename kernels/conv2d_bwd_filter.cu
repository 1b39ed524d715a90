// Gradient of a convolution with respect to its filters.
//
//     dw[o, k] = sum over output pixels of dy[pixel, o] * x[element k of the pixel's window]
//
// See bwd_filter.cuh. Operations: 2 * pixels * c_out * k. Bytes: x read once per 64 o, dy once per 64 k.
// Launch: 256 threads, conv2d_bwd_filter_tile [ceil(k / 64), ceil(c_out / 64), chunks], conv2d_bwd_filter_merge
// [ceil(c_out * k / 256)].
// Targets: compute_75
// Hot: conv2d_bwd_filter_tile_f32 conv2d_bwd_filter_tile_f16 conv2d_bwd_filter_tile_bf16

#include "bwd_filter.cuh"

#define KERNEL(T, SUFFIX) TILE(conv2d_bwd_filter, T, SUFFIX)
EVERY_DTYPE(KERNEL)
