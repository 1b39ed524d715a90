// Gradient of a fully connected layer with respect to its weight.
//
//     dw[o, k] = sum over rows of dy[row, o] * x[row, k]
//
// Rows are images of one pixel: see bwd_filter.cuh. Operations: 2 * rows * c_out * k. Bytes: x read once per 64 o, dy once
// per 64 k. Launch: 256 threads, dense_bwd_filter_tile [ceil(k / 64), ceil(c_out / 64), chunks], dense_bwd_filter_merge
// [ceil(c_out * k / 256)].
// Targets: compute_75
// Hot: dense_bwd_filter_tile_f32 dense_bwd_filter_tile_f16 dense_bwd_filter_tile_bf16

#include "bwd_filter.cuh"

#define KERNEL(T, SUFFIX) TILE(dense_bwd_filter, T, SUFFIX)
EVERY_DTYPE(KERNEL)
