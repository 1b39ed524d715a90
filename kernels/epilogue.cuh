// The epilogue of conv2d and dense: what follows their sums.
//
//     y[row, o] = act(scale * (sum + b[o]) + residual[row, o])
#pragma once

#include "common.cuh"

// Bits of `flags`, as in the WGSL files.
enum Flags : u32 { BIAS = 1, RELU = 2, PRELU = 4, RESIDUAL = 8 };

template <class T>
struct Epilogue {
    u32 flags;
    float scale;
    u32 c_out;
    // Rows of y are y_stride elements apart, from element y_offset on.
    u64 y_offset;
    u32 y_stride;
    // b: [c_out] f32
    const float *b;
    // alpha: [c_out] f32
    const float *alpha;
    // residual: [rows, c_out] T
    const T *residual;
    // y: [rows, c_out] T, rows y_stride apart
    T *y;

    __device__ __forceinline__ float act(float value, u32 o, float residual) const {
        if (flags & BIAS) {
            value += b[o];
        }
        if (flags & RESIDUAL) {
            value = scale * value + residual;
        }
        if (flags & RELU) {
            value = fmaxf(value, 0.0f);
        }
        if (flags & PRELU) {
            value = fmaxf(value, 0.0f) + alpha[o] * fminf(value, 0.0f);
        }
        return value;
    }

    // Apply the epilogue to four channels of one row, from `channel` on: at once where all are there and lie aligned.
    __device__ __forceinline__ void write4(const float (&sums)[4], u32 row, u32 channel) const {
        u64 from = (u64)row * c_out + channel;
        u64 to = y_offset + (u64)row * y_stride + channel;
        if ((c_out | y_stride | (u32)y_offset) % 4 == 0 && channel < c_out) {
            float4 skip = flags & RESIDUAL ? load4(residual + from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            store4(
                y + to,
                make_float4(
                    act(sums[0], channel, skip.x), act(sums[1], channel + 1, skip.y), act(sums[2], channel + 2, skip.z),
                    act(sums[3], channel + 3, skip.w)
                )
            );
            return;
        }
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            if (channel + i < c_out) {
                float skip = flags & RESIDUAL ? load(residual + from + i) : 0.0f;
                store(y + to + i, act(sums[i], channel + i, skip));
            }
        }
    }

    // The same for eight channels.
    __device__ __forceinline__ void write8(const float (&sums)[8], u32 row, u32 channel) const {
        u64 from = (u64)row * c_out + channel;
        u64 to = y_offset + (u64)row * y_stride + channel;
        bool whole = (c_out | y_stride | (u32)y_offset) % 8 == 0;
        if (channel >= c_out) {
            return;
        }
        float skip[8] = {};
        if (flags & RESIDUAL) {
            if (whole) {
                load8(residual + from, skip);
            } else {
#pragma unroll
                for (u32 i = 0; i < 8; i++) {
                    skip[i] = channel + i < c_out ? load(residual + from + i) : 0.0f;
                }
            }
        }
        float values[8];
#pragma unroll
        for (u32 i = 0; i < 8; i++) {
            values[i] = act(sums[i], min(channel + i, c_out - 1), skip[i]);
        }
        if (whole) {
            store8(y + to, values);
            return;
        }
#pragma unroll
        for (u32 i = 0; i < 8; i++) {
            if (channel + i < c_out) {
                store(y + to + i, values[i]);
            }
        }
    }
};
