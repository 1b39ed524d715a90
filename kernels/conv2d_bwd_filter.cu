// Gradient of a convolution with respect to its filters.
//
//     dw[o, k] = sum over output pixels of dy[pixel, o] * x[element k of the pixel's window]
//
// See bwd_filter.cuh. Operations: 2 * pixels * c_out * k. Bytes: x read once per 64 o, dy once per 64 k.
// Launch: 256 threads, conv2d_bwd_filter_tile [ceil(k / 64), ceil(c_out / 64), chunks], conv2d_bwd_filter_merge
// [ceil(c_out * k / 256)];
// conv2d_bwd_filter_mma, M in its name, [ceil(k / 128), ceil(c_out / M), chunks].
// Targets: compute_75 compute_80
// Hot: conv2d_bwd_filter_tile_f32 conv2d_bwd_filter_tile_f16 conv2d_bwd_filter_tile_bf16
// Hot: conv2d_bwd_filter_mma_m32_f16 conv2d_bwd_filter_mma_m64_f16 conv2d_bwd_filter_mma_m128_f16
// Hot: conv2d_bwd_filter_mma_m32_bf16 conv2d_bwd_filter_mma_m64_bf16 conv2d_bwd_filter_mma_m128_bf16
// Hot: conv2d_bwd_filter_mma_m32_tf32 conv2d_bwd_filter_mma_m64_tf32 conv2d_bwd_filter_mma_m128_tf32

#include "bwd_filter.cuh"

ENTRIES(conv2d_bwd_filter)
