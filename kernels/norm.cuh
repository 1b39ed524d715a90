// Norms of rows: `sum (|x| + epsilon)^p`.
#pragma once

#include "block.cuh"

// `base` is above zero.
static __device__ __forceinline__ float power(float base, float exponent) {
    return exponent == 1.0f ? base : exponent == 0.0f ? 1.0f : exp2f(exponent * log2f(base));
}

// Of a warp's row, in every lane: lane i takes elements i, i + 32, ...
static __device__ __forceinline__ float warp_powers(const float *row, u32 d, u32 lane, float p, float epsilon) {
    float sum = 0.0f;
    for (u32 i = lane; i < d; i += 32) {
        sum += power(fabsf(row[i]) + epsilon, p);
    }
    return warp_sum(sum);
}
