// What batch normalization in training and its gradients share: the layer at one element.
//
//     z = gamma * xhat + beta, xhat = (x - mean) / sqrt(variance + epsilon), dz = dy where act lets z through
//
// Elementwise kernels give a thread four channels of four rows where the channels come in fours: the layer's parameters
// are then read and worked on once for four elements. Else a thread has one element.
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

    __device__ __forceinline__ float y(float x) const {
        return relu ? fmaxf(z(x), 0.0f) : z(x);
    }

    // To the rectifier's gradient the output's sign is all that matters.
    __device__ __forceinline__ float dz(float x, float dy) const {
        return relu && z(x) <= 0.0f ? 0.0f : dy;
    }
};

// This thread's four channels, and the first of its four rows, where there are some for it.
static __device__ __forceinline__ bool patch(u32 elements, u32 c, u32 &channel, u32 &row, u32 &rows) {
    u32 at;
    u32 fours = c / 4;
    rows = elements / c;
    bool there = element((rows + 3) / 4 * fours, at);
    channel = at % fours * 4;
    row = at / fours * 4;
    return there;
}
