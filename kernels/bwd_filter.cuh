// The matrix product under the gradients of filters: of dy, transposed, and the windows of x, over output pixels.
//
//     partial[chunk, o, k] = sum over the chunk's pixels of dy[pixel, o] * x[element k of the pixel's window]
//
// Pixels are cut into chunks so that there are blocks enough; their length is chosen by the extents alone, and a second
// kernel adds the chunks' partial sums in order: two runs give the same bits.
#pragma once

#include "bwd_filter_mma.cuh"
#include "bwd_filter_tile.cuh"
#include "bwd_filter_wgmma.cuh"

namespace bwd_filter {

// dw[i] = sum over chunks of partial[chunk, i].
static __device__ __forceinline__ void merge(const Params &p, const float *partial, float *dw) {
    u32 at;
    if (!::element(p.c_out * p.k, at)) {
        return;
    }
    float sum = 0.0f;
    for (u32 chunk = 0; chunk < p.chunks; chunk++) {
        sum += partial[(u64)chunk * p.c_out * p.k + at];
    }
    dw[at] = sum;
}

} // namespace bwd_filter

// The entries of a stem: each target's file has what the more general ones do not have.
#define TILE(STEM, T, SUFFIX)                                                                                          \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_tile_##SUFFIX(const Params p, const T *x, const T *dy, float *partial, float *dw) {                     \
        bwd_filter::tile_kernel(p, x, dy, partial);                                                                    \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_merge_##SUFFIX(const Params p, const T *x, const T *dy, const float *partial, float *dw) {              \
        bwd_filter::merge(p, partial, dw);                                                                             \
    }
#define MMA(STEM, UNIT, SUFFIX, M)                                                                                     \
    extern "C" __global__ void __launch_bounds__(mma::THREADS, 2) STEM##_mma_m##M##_##SUFFIX(                          \
        const Params p, const mma::UNIT::Storage *x, const mma::UNIT::Storage *dy, float *partial, float *dw           \
    ) {                                                                                                                \
        bwd_filter::mma_kernel<mma::UNIT, M>(p, x, dy, partial);                                                       \
    }
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define WGMMA(STEM, UNIT, SUFFIX, N, WIDTH)                                                                            \
    extern "C" __global__ void __launch_bounds__(wgmma::THREADS, wgmma::Share<N, bwd_filter::DEPTH>::BLOCKS)           \
        sm90_##STEM##_wgmma_n##N##c##WIDTH##_##SUFFIX(                                                                 \
        const Params p, const __grid_constant__ wgmma::TensorMap x, const __grid_constant__ wgmma::TensorMap dy,       \
        float *partial, float *dw                                                                                      \
    ) {                                                                                                                \
        bwd_filter::wgmma_kernel<wgmma::UNIT, N, WIDTH>(p, x, dy, partial);                                            \
    }
#define ENTRIES(STEM)                                                                                                  \
    EVERY_WGMMA_SHAPE(WGMMA, STEM, F16, f16)                                                                           \
    EVERY_WGMMA_SHAPE(WGMMA, STEM, Bf16, bf16)
#elif __CUDA_ARCH__ == 750
#define ENTRIES(STEM)                                                                                                  \
    TILE(STEM, float, f32)                                                                                             \
    TILE(STEM, f16, f16)                                                                                               \
    TILE(STEM, bf16, bf16)                                                                                             \
    EVERY_MMA_WIDTH(MMA, STEM, F16, f16)
#else
#define ENTRIES(STEM)                                                                                                  \
    EVERY_MMA_WIDTH(MMA, STEM, F16, f16)                                                                               \
    EVERY_MMA_WIDTH(MMA, STEM, Bf16, bf16)                                                                             \
    EVERY_MMA_WIDTH(MMA, STEM, Tf32, tf32)
#endif
