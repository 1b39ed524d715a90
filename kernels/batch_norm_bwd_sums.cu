// Sums that the gradients of batch normalization need.
//
//     y[0, c] = sum over rows of dz[row, c], y[1, c] = sum over rows of dz[row, c] * xhat[row, c]
//
// In two stages, over chunks of rows and over chunks: see channels.cuh. Operations: 10 an element. Bytes: each input read
// once.
// Targets: compute_75
// Hot: batch_norm_bwd_sums_chunk_f32 batch_norm_bwd_sums_chunk_f16 batch_norm_bwd_sums_chunk_bf16

#include "batch_norm.cuh"
#include "channels.cuh"

struct Params {
    u32 rows;
    u32 c;
    // Rows of a chunk, and chunks.
    u32 chunk;
    u32 chunks;
    // Sums of a chunk: two a channel.
    u32 width;
    float epsilon;
    // Bits: 1 relu, 2 gamma.
    u32 flags;
};

template <class T>
__device__ void batch_norm_bwd_sums_chunk(
    const Params &p,
    // x: [rows, c] T
    const T *x,
    // moments: [3, c] f32
    const float *moments,
    // beta: [c] f32
    const float *beta,
    // gamma: [c] f32
    const float *gamma,
    // dy: [rows, c] T
    const T *dy,
    // partial: [chunks, width] f32
    float *partial
) {
    u32 own = min(blockIdx.x * channels::LANES + threadIdx.x % channels::LANES, p.c - 1);
    Layer layer(moments, beta, gamma, own, p.c, p.epsilon, p.flags);
    auto value = [&](u64 at, u32, float (&values)[2]) {
        float input = load(x + at);
        values[0] = layer.dz(input, load(dy + at));
        values[1] = values[0] * layer.normalized(input);
    };
    auto done = [&](const float (&sums)[2], u32 channel) {
        partial[(u64)blockIdx.y * p.width + channel] = sums[0];
        partial[(u64)blockIdx.y * p.width + p.c + channel] = sums[1];
    };
    channels::over_chunk<2>(p.rows, p.c, p.chunk, value, done);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) batch_norm_bwd_sums_chunk_##SUFFIX(                              \
        const Params p, const T *x, const float *__restrict__ moments, const float *__restrict__ beta,                 \
        const float *__restrict__ gamma, const T *dy, float *partial, float *y                                         \
    ) {                                                                                                                \
        batch_norm_bwd_sums_chunk(p, x, moments, beta, gamma, dy, partial);                                            \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) batch_norm_bwd_sums_merge_##SUFFIX(                              \
        const Params p, const T *x, const float *__restrict__ moments, const float *__restrict__ beta,                 \
        const float *__restrict__ gamma, const T *dy, float *partial, float *y                                         \
    ) {                                                                                                                \
        channels::merge(partial, y, p.width, p.chunks);                                                                \
    }
EVERY_DTYPE(KERNEL)
