// The mean of all elements.
//
//     y = sum(x) / elements, 0 for none
//
// A partial sum of 4,096 elements a block, then one block adds them: trees of fixed shape.
// Operations: 1 an element. Bytes: x read once.
// Targets: compute_75
// Hot: mean_fwd_partial_f32 mean_fwd_total_f32

#include "reduce.cuh"

static __device__ __forceinline__ float term(float value) {
    return value;
}

static __device__ __forceinline__ float result(float sum, u32 elements) {
    return sum / (float)max(elements, 1);
}

ENTRIES(mean)
