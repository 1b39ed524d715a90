// One number of millions of elements: blocks take pieces of 4,096 elements, then one block joins what they give.
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

static __device__ __forceinline__ void reduce_parts(
    const Params &p,
    // x: [elements] f32
    const float *x,
    // parts: [pieces] f32
    float *parts
) {
    float sum = piece_sum(p.elements, [=](u32 i) { return term(x[i]); });
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = sum;
    }
}

static __device__ __forceinline__ void reduce_total(
    const Params &p,
    // parts: [pieces] f32
    const float *parts,
    // y: [1] f32
    float *y
) {
    float sum = parts_sum(p.pieces, parts);
    if (threadIdx.x == 0) {
        y[0] = result(sum, p.elements);
    }
}

#define ENTRIES(STEM)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_fwd_parts_f32(const Params p, const float *x, float *parts, float *y) {                                 \
        reduce_parts(p, x, parts);                                                                                     \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_fwd_total_f32(const Params p, const float *x, float *parts, float *y) {                                 \
        reduce_total(p, parts, y);                                                                                     \
    }
