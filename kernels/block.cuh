// Reductions over a block of 256 threads, and of millions of values: a partial sum a block, then one block adds them.
// Each is a tree of fixed shape, so the same bits on each run.
#pragma once

#include "common.cuh"

// Elements of a partial sum.
#define PER_BLOCK 4096

static __device__ __forceinline__ float not_a_number() {
    return __int_as_float(0x7fc00000);
}

static __device__ __forceinline__ float infinity() {
    return __int_as_float(0x7f800000);
}

struct Sum {
    static __device__ __forceinline__ float warp(float value) {
        return warp_sum(value);
    }
    static __device__ __forceinline__ float join(float a, float b) {
        return a + b;
    }
};

struct Maximum {
    static __device__ __forceinline__ float warp(float value) {
        return warp_max(value);
    }
    static __device__ __forceinline__ float join(float a, float b) {
        return fmaxf(a, b);
    }
};

// The threads' values joined, in every thread.
template <class How>
static __device__ __forceinline__ float block_reduce(float value) {
    // of_warps: [8] f32
    __shared__ float of_warps[8];
    value = How::warp(value);
    // Those who still read the last result.
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        of_warps[threadIdx.x / 32] = value;
    }
    __syncthreads();
    float all = of_warps[0];
#pragma unroll
    for (u32 i = 1; i < 8; i++) {
        all = How::join(all, of_warps[i]);
    }
    return all;
}

static __device__ __forceinline__ float block_sum(float value) {
    return block_reduce<Sum>(value);
}

static __device__ __forceinline__ float block_max(float value) {
    return block_reduce<Maximum>(value);
}

// The sum of `of(i)` over this block's share of so many elements, in every thread.
template <class Of>
static __device__ __forceinline__ float partial_sum(u32 elements, Of of) {
    u64 from = (u64)blockIdx.x * PER_BLOCK;
    u32 count = (u32)min((u64)PER_BLOCK, elements > from ? elements - from : 0);
    float sum = 0.0f;
#pragma unroll 4
    for (u32 i = threadIdx.x; i < count; i += 256) {
        sum += of((u32)from + i);
    }
    return block_sum(sum);
}

// The sum of so many partial sums, in every thread of the one block.
static __device__ __forceinline__ float total_sum(u32 count, const float *partial) {
    float sum = 0.0f;
    for (u32 i = threadIdx.x; i < count; i += 256) {
        sum += partial[i];
    }
    return block_sum(sum);
}

// Where a row with this number, stored as a float, begins in a matrix of `count` rows of `d` elements; false if there is
// none.
static __device__ __forceinline__ bool row_of(float number, u32 count, u32 d, u64 &base) {
    bool whole = number >= 0.0f && number < (float)count && number == truncf(number);
    base = whole ? (u64)(u32)number * d : 0;
    return whole;
}
