// Sums over everything but channels: the gradient of a bias.
//
//     y[c] = sum over rows of x[row, c]
//
// In two stages, over chunks of rows and over chunks: see channels.cuh. Operations: 1 an element. Bytes: each input read
// once.
// Targets: compute_75
// Hot: channel_sum_chunk_f32 channel_sum_chunk_f16 channel_sum_chunk_bf16

#include "channels.cuh"

struct Params {
    u32 rows;
    u32 c;
    // Rows of a chunk, and chunks.
    u32 chunk;
    u32 chunks;
    // Sums of a chunk: one a channel.
    u32 width;
};

template <class T>
__device__ void channel_sum_chunk(
    const Params &p,
    // x: [rows, c] T
    const T *x,
    // partial: [chunks, width] f32
    float *partial
) {
    auto value = [&](u64 at, u32, float (&values)[1]) { values[0] = load(x + at); };
    auto done = [&](const float (&sums)[1], u32 channel) { partial[(u64)blockIdx.y * p.width + channel] = sums[0]; };
    channels::over_chunk<1>(p.rows, p.c, p.chunk, value, done);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) channel_sum_chunk_##SUFFIX(                                      \
        const Params p, const T *x, float *partial, float *y                                                           \
    ) {                                                                                                                \
        channel_sum_chunk(p, x, partial);                                                                              \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) channel_sum_merge_##SUFFIX(                                      \
        const Params p, const T *x, float *partial, float *y                                                           \
    ) {                                                                                                                \
        channels::merge(partial, y, p.width, p.chunks);                                                                \
    }
EVERY_DTYPE(KERNEL)
