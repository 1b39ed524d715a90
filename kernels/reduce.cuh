// One number of millions of elements: a partial sum of 4,096 elements a block, then one block adds them.
//
// A kernel file gives `term`, what an element adds, and `result`, what the sum comes to, and names its entries by its stem.
#pragma once

#include "block.cuh"

struct Params {
    u32 elements;
    u32 pieces;
};

static __device__ float term(float value);
static __device__ float result(float sum, u32 elements);

static __device__ __forceinline__ void reduce_partial(
    const Params &p,
    // x: [elements] f32
    const float *x,
    // partial: [pieces] f32
    float *partial
) {
    float sum = partial_sum(p.elements, [=](u32 i) { return term(x[i]); });
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
    }
}

static __device__ __forceinline__ void reduce_total(
    const Params &p,
    // partial: [pieces] f32
    const float *partial,
    // y: [1] f32
    float *y
) {
    float sum = total_sum(p.pieces, partial);
    if (threadIdx.x == 0) {
        y[0] = result(sum, p.elements);
    }
}

#define ENTRIES(STEM)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_fwd_partial_f32(const Params p, const float *x, float *partial, float *y) {                             \
        reduce_partial(p, x, partial);                                                                                 \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_fwd_total_f32(const Params p, const float *x, float *partial, float *y) {                               \
        reduce_total(p, partial, y);                                                                                   \
    }
