// Mean and variances of each channel of a batch.
//
//     y[0, c] = mean, y[1, c] = biased variance, y[2, c] = correction * biased variance
//
// In two stages, over chunks of rows and over chunks: see channels.cuh. A chunk is read twice, the second time from the
// cache: its mean first, then the squares of what differs from it; chunks are joined by Chan, Golub and LeVeque's rule.
// Nowhere are squares of raw values summed, which would cancel. Operations: 4 an element. Bytes: x read once.
// Targets: compute_75
// Hot: batch_moments_chunk_f32 batch_moments_chunk_f16 batch_moments_chunk_bf16

#include "channels.cuh"

struct Params {
    u32 rows;
    u32 c;
    // Rows of a chunk, and chunks.
    u32 chunk;
    u32 chunks;
    // rows / (rows - 1), or 1.
    float correction;
};

template <class T>
__device__ void batch_moments_chunk(
    const Params &p,
    // x: [rows, c] T
    const T *x,
    // partial: [chunks, 2, c] f32: means, and sums of squares around them
    float *partial
) {
    // means: [32] f32
    __shared__ float means[channels::LANES];
    float *to = partial + (u64)blockIdx.y * 2 * p.c;
    u32 lane = threadIdx.x % channels::LANES;
    float count = (float)(min((blockIdx.y + 1) * p.chunk, p.rows) - blockIdx.y * p.chunk);
    auto value = [&](u64 at, u32, float (&values)[1]) { values[0] = load(x + at); };
    channels::over_chunk<1>(p.rows, p.c, p.chunk, value, [&](const float (&sums)[1], u32 channel) {
        means[lane] = sums[0] / count;
        to[channel] = sums[0] / count;
    });
    __syncthreads();
    float mean = blockIdx.x * channels::LANES + lane < p.c ? means[lane] : 0.0f;
    auto square = [&](u64 at, u32, float (&values)[1]) {
        float rest = load(x + at) - mean;
        values[0] = rest * rest;
    };
    channels::over_chunk<1>(p.rows, p.c, p.chunk, square, [&](const float (&sums)[1], u32 channel) {
        to[p.c + channel] = sums[0];
    });
}

// A set of values by its size, its mean, and the sum of squares around it.
struct Moments {
    float count;
    float mean;
    float squares;

    __device__ __forceinline__ void join(float n, float other, float more) {
        if (n == 0.0f) {
            return;
        }
        float all = count + n;
        float apart = other - mean;
        squares += more + apart * apart * (count * (n / all));
        mean += apart * (n / all);
        count = all;
    }
};

static __device__ __forceinline__ void batch_moments_merge(
    const Params &p,
    // partial: [chunks, 2, c] f32
    const float *partial,
    // y: [3, c] f32
    float *y
) {
    // counts, means, squares: [8, 32] f32
    __shared__ float counts[channels::WARPS][channels::LANES];
    __shared__ float means[channels::WARPS][channels::LANES];
    __shared__ float squares[channels::WARPS][channels::LANES];
    u32 warp = threadIdx.x / channels::LANES;
    u32 lane = threadIdx.x % channels::LANES;
    u32 c = blockIdx.x * channels::LANES + lane;
    u32 first, end;
    channels::share(p.chunks, first, end);
    Moments moments{0.0f, 0.0f, 0.0f};
    if (c < p.c) {
        for (u32 chunk = first; chunk < end; chunk++) {
            float count = (float)(min((chunk + 1) * p.chunk, p.rows) - chunk * p.chunk);
            const float *of = partial + (u64)chunk * 2 * p.c;
            moments.join(count, of[c], of[p.c + c]);
        }
    }
    counts[warp][lane] = moments.count;
    means[warp][lane] = moments.mean;
    squares[warp][lane] = moments.squares;
    __syncthreads();
    if (warp != 0 || c >= p.c) {
        return;
    }
    for (u32 i = 1; i < channels::WARPS; i++) {
        moments.join(counts[i][lane], means[i][lane], squares[i][lane]);
    }
    float variance = moments.squares / (float)p.rows;
    y[c] = moments.mean;
    y[p.c + c] = variance;
    y[2 * p.c + c] = variance * p.correction;
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        batch_moments_chunk_##SUFFIX(const Params p, const T *x, float *partial, float *y) {                           \
        batch_moments_chunk(p, x, partial);                                                                            \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        batch_moments_merge_##SUFFIX(const Params p, const T *x, const float *partial, float *y) {                     \
        batch_moments_merge(p, partial, y);                                                                            \
    }
EVERY_DTYPE(KERNEL)
