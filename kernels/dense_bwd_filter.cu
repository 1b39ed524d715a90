// Gradient of a fully connected layer with respect to its weight.
//
//     dw[o, k] = sum over rows of dy[row, o] * x[row, k]
//
// Rows are images of one pixel: see bwd_filter.cuh. Operations: 2 * rows * c_out * k. Bytes: x read once per 64 o, dy once
// per 64 k.
// Targets: compute_75 compute_80
// Hot: dense_bwd_filter_tile_f32 dense_bwd_filter_tile_f16 dense_bwd_filter_tile_bf16
// Hot: dense_bwd_filter_mma_m32_f16 dense_bwd_filter_mma_m64_f16 dense_bwd_filter_mma_m128_f16
// Hot: dense_bwd_filter_mma_m32_bf16 dense_bwd_filter_mma_m64_bf16 dense_bwd_filter_mma_m128_bf16
// Hot: dense_bwd_filter_mma_m32_tf32 dense_bwd_filter_mma_m64_tf32 dense_bwd_filter_mma_m128_tf32

#include "bwd_filter.cuh"

ENTRIES(dense_bwd_filter)
