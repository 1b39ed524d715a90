// What batch normalization in training and its gradients share: the layer at one element.
//
//     z = gamma * xhat + beta, xhat = (x - mean) / sqrt(variance + epsilon), dz = dy where act lets z through
#pragma once

#include "common.cuh"

// Bits of `flags`, as in the WGSL files.
enum Flags : u32 { RELU = 1, SCALE = 2 };

struct Layer {
    float mean;
    float rate;
    float gamma;
    float beta;
    bool relu;

    // `moments`: [3, c] f32; beta, gamma: [c] f32.
    __device__ __forceinline__ Layer(
        const float *moments, const float *beta, const float *gamma, u32 at, u32 c, float epsilon, u32 flags
    )
        : mean(moments[at]), rate(1.0f / sqrtf(moments[c + at] + epsilon)), gamma(flags & SCALE ? gamma[at] : 1.0f),
          beta(beta[at]), relu(flags & RELU) {
    }

    __device__ __forceinline__ float normalized(float x) const {
        return (x - mean) * rate;
    }

    __device__ __forceinline__ float z(float x) const {
        return gamma * normalized(x) + beta;
    }

    // To the rectifier's gradient the output's sign is all that matters.
    __device__ __forceinline__ float dz(float x, float dy) const {
        return relu && z(x) <= 0.0f ? 0.0f : dy;
    }
};
