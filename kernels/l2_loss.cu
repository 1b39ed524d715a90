// Half the sum of squares.
//
//     y = sum(x^2) / 2
//
// A partial sum of 4,096 elements a block, then one block adds them: trees of fixed shape.
// Operations: 2 an element. Bytes: x read once.
// Targets: compute_75
// Hot: l2_loss_fwd_partial_f32 l2_loss_fwd_total_f32

#include "reduce.cuh"

static __device__ __forceinline__ float term(float value) {
    return value * value;
}

static __device__ __forceinline__ float result(float sum, u32 elements) {
    return 0.5f * sum;
}

ENTRIES(l2_loss)
