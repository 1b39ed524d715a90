// What local response normalization and its gradient share: their parameters, and what an element is divided by.
#pragma once

#include "common.cuh"

struct Params {
    // n * h * w * c.
    u32 elements;
    u32 c;
    // Channels of the window on either side.
    u32 radius;
    float bias;
    float alpha;
    float beta;
};

// An element's window: the elements of its row at most `radius` away.
struct Window {
    u32 first;
    u32 end;

    __device__ __forceinline__ Window(const Params &p, u32 at) {
        u32 channel = at % p.c;
        first = at - min(channel, p.radius);
        end = at + min(p.c - channel - 1, p.radius) + 1;
    }
};

// bias + alpha * sum of x^2 over the window.
template <class T>
__device__ __forceinline__ float divisor(const Params &p, const Window &window, const T *x) {
    float sum = 0.0f;
    for (u32 j = window.first; j < window.end; j++) {
        float value = load(x + j);
        sum += value * value;
    }
    return p.bias + p.alpha * sum;
}

// d^-beta, d being above zero. Three quarters, which every published network has, are two roots.
static __device__ __forceinline__ float factor(float d, float beta) {
    if (beta == 0.75f) {
        float root = sqrtf(d);
        return 1.0f / (root * sqrtf(root));
    }
    return exp2f(-beta * log2f(d));
}
