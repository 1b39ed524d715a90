// Whether gradients overflowed.
//
//     y = 1 if every x is finite, else 0
//
// A partial sum of 4,096 elements a block, then one block adds them: trees of fixed shape.
// Operations: 0 an element. Bytes: x read once.
// Targets: compute_75
// Hot: is_finite_fwd_partial_f32 is_finite_fwd_total_f32

#include "reduce.cuh"

static __device__ __forceinline__ float term(float value) {
    return (__float_as_uint(value) & 0x7f800000u) == 0x7f800000u ? 1.0f : 0.0f;
}

static __device__ __forceinline__ float result(float sum, u32 elements) {
    return sum == 0.0f ? 1.0f : 0.0f;
}

ENTRIES(is_finite)
