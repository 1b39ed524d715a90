// What every kernel shares: the storage types with their conversions, and reductions.
//
// Kernels are templates over the storage type; arithmetic is f32 throughout. A kernel's name is its WGSL entry point's
// with the storage type behind it: relu_fwd_f32, relu_fwd_f16, relu_fwd_bf16. Its operands are `Params`, by value, and
// then a pointer for each of the shader's bindings from 1 on, in their order; one that is absent is null.
#pragma once

#include "ptx.cuh"

// Binary16 and bfloat16, as bits.
struct f16 {
    u16 bits;
};

struct bf16 {
    u16 bits;
};

// KERNEL(T, suffix) for each storage type.
#define EVERY_DTYPE(KERNEL) \
    KERNEL(float, f32)                                                                                                 \
    KERNEL(f16, f16)                                                                                                   \
    KERNEL(bf16, bf16)

static __device__ __forceinline__ float to_f32(float value) {
    return value;
}

static __device__ __forceinline__ float to_f32(f16 value) {
    return ptx::cvt_f32_f16(value.bits);
}

// A bfloat16 is the upper half of a float.
static __device__ __forceinline__ float to_f32(bf16 value) {
    return __uint_as_float((u32)value.bits << 16);
}

template <class T>
__device__ T from_f32(float value);

template <>
__device__ __forceinline__ float from_f32<float>(float value) {
    return value;
}

template <>
__device__ __forceinline__ f16 from_f32<f16>(float value) {
    return f16{ptx::cvt_rn_f16_f32(value)};
}

// To the nearest, ties to even, in whole numbers: the instruction begins with sm_80. A carry out of the mantissa rightly
// moves into the exponent, and from the largest to infinity. A NaN keeps its sign and payload but for being made quiet.
template <>
__device__ __forceinline__ bf16 from_f32<bf16>(float value) {
    u32 bits = __float_as_uint(value);
    u32 rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    return bf16{(u16)((nan ? bits | 0x400000u : rounded) >> 16)};
}

template <class T>
__device__ __forceinline__ float load(const T *x) {
    return to_f32(*x);
}

template <class T>
__device__ __forceinline__ void store(T *y, float value) {
    *y = from_f32<T>(value);
}

// Four neighbours at once; `x` begins at a multiple of four elements.
static __device__ __forceinline__ float4 load4(const float *x) {
    return *(const float4 *)x;
}

template <class T>
__device__ __forceinline__ float4 load4(const T *x) {
    ushort4 bits = *(const ushort4 *)x;
    return make_float4(to_f32(T{bits.x}), to_f32(T{bits.y}), to_f32(T{bits.z}), to_f32(T{bits.w}));
}

static __device__ __forceinline__ void store4(float *y, float4 value) {
    *(float4 *)y = value;
}

template <class T>
__device__ __forceinline__ void store4(T *y, float4 value) {
    *(ushort4 *)y = make_ushort4(
        from_f32<T>(value.x).bits, from_f32<T>(value.y).bits, from_f32<T>(value.z).bits, from_f32<T>(value.w).bits
    );
}

// Eight neighbours at once; `x` begins at a multiple of eight elements.
static __device__ __forceinline__ void load8(const float *x, float (&values)[8]) {
    *(float4 *)values = load4(x);
    *(float4 *)(values + 4) = load4(x + 4);
}

template <class T>
__device__ __forceinline__ void load8(const T *x, float (&values)[8]) {
    uint4 bits = *(const uint4 *)x;
    const u32 words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        values[2 * i] = to_f32(T{(u16)words[i]});
        values[2 * i + 1] = to_f32(T{(u16)(words[i] >> 16)});
    }
}

static __device__ __forceinline__ void store8(float *y, const float (&values)[8]) {
    store4(y, *(const float4 *)values);
    store4(y + 4, *(const float4 *)(values + 4));
}

template <class T>
__device__ __forceinline__ void store8(T *y, const float (&values)[8]) {
    u32 words[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        words[i] = from_f32<T>(values[2 * i]).bits | (u32)from_f32<T>(values[2 * i + 1]).bits << 16;
    }
    *(uint4 *)y = make_uint4(words[0], words[1], words[2], words[3]);
}

// This thread's element, where there is one for it. The product of two u32 does not wrap here.
static __device__ __forceinline__ bool element(u32 elements, u32 &at) {
    u64 place = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    at = (u32)place;
    return place < elements;
}

// This thread's four neighbouring elements, where there are some for it; the elements come in fours.
static __device__ __forceinline__ bool four_elements(u32 elements, u32 &at) {
    bool there = element(elements / 4, at);
    at *= 4;
    return there;
}

// This warp's row of eight that a block takes, where there is one for it, and the thread's place in the warp.
static __device__ __forceinline__ bool warp_row(u32 rows, u32 &row, u32 &lane) {
    row = blockIdx.x * 8 + threadIdx.x / 32;
    lane = threadIdx.x % 32;
    return row < rows;
}

// Sum and maximum over a warp, in every lane: a tree of fixed shape, so the same bits on each run.
static __device__ __forceinline__ float warp_sum(float value) {
    for (u32 lanes = 16; lanes > 0; lanes /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, lanes);
    }
    return value;
}

static __device__ __forceinline__ float warp_max(float value) {
    for (u32 lanes = 16; lanes > 0; lanes /= 2) {
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, lanes));
    }
    return value;
}
