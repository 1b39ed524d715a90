// Sums over the rows of [rows, c], channel by channel, in two stages: what the gradients of parameters share.
//
// A block of 256 threads takes 32 channels, so that a warp reads neighbours, and a chunk of the rows, of which each of its
// 8 warps takes every eighth; then the warps' sums are added in order. The chunks' sums lie in memory as [chunks, c], and
// a second kernel adds them in order: a block takes 32 channels, each warp an eighth of the chunks.
// The chunks' length is chosen by the extents alone: two runs give the same bits.
#pragma once

#include "common.cuh"

namespace channels {

// Channels of a block, and its warps.
enum : u32 { LANES = 32, WARPS = 8 };

// The sums of the block's warps, in order; in warp 0 alone.
static __device__ __forceinline__ float over_warps(float value) {
    // partial: [8, 32] f32
    __shared__ float partial[WARPS][LANES];
    __syncthreads();
    partial[threadIdx.x / LANES][threadIdx.x % LANES] = value;
    __syncthreads();
    float sum = 0.0f;
#pragma unroll
    for (u32 warp = 0; warp < WARPS; warp++) {
        sum += partial[warp][threadIdx.x % LANES];
    }
    return sum;
}

// Sums over the block's chunk of rows of the values that `f(element, channel, values)` gives; a channel's sums are handed
// to `done(sums, channel)` in one thread.
template <u32 SUMS, class F, class Done>
__device__ __forceinline__ void over_chunk(u32 rows, u32 c, u32 chunk, F f, Done done) {
    u32 channel = blockIdx.x * LANES + threadIdx.x % LANES;
    u32 end = min((blockIdx.y + 1) * chunk, rows);
    float sums[SUMS] = {};
    if (channel < c) {
        for (u32 row = blockIdx.y * chunk + threadIdx.x / LANES; row < end; row += WARPS) {
            float values[SUMS];
            f((u64)row * c + channel, channel, values);
#pragma unroll
            for (u32 i = 0; i < SUMS; i++) {
                sums[i] += values[i];
            }
        }
    }
#pragma unroll
    for (u32 i = 0; i < SUMS; i++) {
        sums[i] = over_warps(sums[i]);
    }
    if (threadIdx.x < LANES && channel < c) {
        done(sums, channel);
    }
}

// This warp's chunks, from the first to one past the last.
static __device__ __forceinline__ void share(u32 chunks, u32 &first, u32 &end) {
    u32 each = (chunks + WARPS - 1) / WARPS;
    first = threadIdx.x / LANES * each;
    end = min(first + each, chunks);
}

// y[i] = sum over chunks of partial[chunk, i], for `width` sums.
static __device__ __forceinline__ void merge(const float *partial, float *y, u32 width, u32 chunks) {
    u32 at = blockIdx.x * LANES + threadIdx.x % LANES;
    u32 first, end;
    share(chunks, first, end);
    float sum = 0.0f;
    if (at < width) {
        for (u32 chunk = first; chunk < end; chunk++) {
            sum += partial[(u64)chunk * width + at];
        }
    }
    sum = over_warps(sum);
    if (threadIdx.x < LANES && at < width) {
        y[at] = sum;
    }
}

} // namespace channels
