// Gradient of a convolution with respect to its filters.
//
//     dw[o, k] = sum over output pixels of dy[pixel, o] * x[element k of the pixel's window]
//
// See bwd_filter.cuh. Operations: 2 * pixels * c_out * k. Bytes: x read once per 64 o, dy once per 64 k.
// sm90_conv2d_bwd_filter_wgmma takes multiples of 8 for c_in and c_out. It serves dense layers too.
// Targets: compute_75 compute_80 sm_90a
// Hot: conv2d_bwd_filter_tile_f32 conv2d_bwd_filter_tile_f16 conv2d_bwd_filter_tile_bf16
// Hot: conv2d_bwd_filter_mma_m32_f16 conv2d_bwd_filter_mma_m64_f16 conv2d_bwd_filter_mma_m128_f16
// Hot: conv2d_bwd_filter_mma_m32_bf16 conv2d_bwd_filter_mma_m64_bf16 conv2d_bwd_filter_mma_m128_bf16
// Hot: conv2d_bwd_filter_mma_m32_tf32 conv2d_bwd_filter_mma_m64_tf32 conv2d_bwd_filter_mma_m128_tf32
// Hot: sm90_conv2d_bwd_filter_wgmma_n32c32_f16 sm90_conv2d_bwd_filter_wgmma_n32c64_f16
// Hot: sm90_conv2d_bwd_filter_wgmma_n64c32_f16 sm90_conv2d_bwd_filter_wgmma_n64c64_f16
// Hot: sm90_conv2d_bwd_filter_wgmma_n96c32_f16 sm90_conv2d_bwd_filter_wgmma_n96c64_f16
// Hot: sm90_conv2d_bwd_filter_wgmma_n128c32_f16 sm90_conv2d_bwd_filter_wgmma_n128c64_f16
// Hot: sm90_conv2d_bwd_filter_wgmma_n32c32_bf16 sm90_conv2d_bwd_filter_wgmma_n32c64_bf16
// Hot: sm90_conv2d_bwd_filter_wgmma_n64c32_bf16 sm90_conv2d_bwd_filter_wgmma_n64c64_bf16
// Hot: sm90_conv2d_bwd_filter_wgmma_n96c32_bf16 sm90_conv2d_bwd_filter_wgmma_n96c64_bf16
// Hot: sm90_conv2d_bwd_filter_wgmma_n128c32_bf16 sm90_conv2d_bwd_filter_wgmma_n128c64_bf16

#include "bwd_filter.cuh"

ENTRIES(conv2d_bwd_filter)
