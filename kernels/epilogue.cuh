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

    // What follows the sums of N channels from `channel` on: each flag is asked once for all of them. `skip` is of the
    // residual; past the last channel the last one's constants are taken.
    template <u32 N>
    __device__ __forceinline__ void act(float (&values)[N], u32 channel, bool whole, const float (&skip)[N]) const {
        if (flags & BIAS) {
            float bias[N];
            constants(b, channel, whole, bias);
#pragma unroll
            for (u32 i = 0; i < N; i++) {
                values[i] += bias[i];
            }
        }
        if (flags & RESIDUAL) {
#pragma unroll
            for (u32 i = 0; i < N; i++) {
                values[i] = scale * values[i] + skip[i];
            }
        }
        if (flags & RELU) {
#pragma unroll
            for (u32 i = 0; i < N; i++) {
                values[i] = fmaxf(values[i], 0.0f);
            }
        }
        if (flags & PRELU) {
            float slopes[N];
            constants(alpha, channel, whole, slopes);
#pragma unroll
            for (u32 i = 0; i < N; i++) {
                values[i] = fmaxf(values[i], 0.0f) + slopes[i] * fminf(values[i], 0.0f);
            }
        }
    }

    // Constants of N channels: at once where all are there, which is where they lie aligned.
    template <u32 N>
    __device__ __forceinline__ void constants(const float *from, u32 channel, bool whole, float (&values)[N]) const {
        if (whole) {
#pragma unroll
            for (u32 i = 0; i < N; i += 4) {
                *(float4 *)(values + i) = load4(from + channel + i);
            }
            return;
        }
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            values[i] = from[min(channel + i, c_out - 1)];
        }
    }

    // Apply the epilogue to N channels of one row, four or eight, from `channel` on: at once where they lie aligned.
    template <u32 N>
    __device__ __forceinline__ void write(const float (&sums)[N], u32 row, u32 channel) const {
        if (channel >= c_out) {
            return;
        }
        u64 from = (u64)row * c_out + channel;
        u64 to = y_offset + (u64)row * y_stride + channel;
        bool whole = (c_out | y_stride | (u32)y_offset) % N == 0;
        float skip[N] = {};
        if (flags & RESIDUAL) {
            if (whole) {
                load_all(residual + from, skip);
            } else {
#pragma unroll
                for (u32 i = 0; i < N; i++) {
                    skip[i] = channel + i < c_out ? load(residual + from + i) : 0.0f;
                }
            }
        }
        float values[N];
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            values[i] = sums[i];
        }
        act(values, channel, whole, skip);
        if (whole) {
            store_all(y + to, values);
            return;
        }
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            if (channel + i < c_out) {
                store(y + to + i, values[i]);
            }
        }
    }

  private:
    static __device__ __forceinline__ void load_all(const T *from, float (&values)[4]) {
        *(float4 *)values = load4(from);
    }

    static __device__ __forceinline__ void load_all(const T *from, float (&values)[8]) {
        load8(from, values);
    }

    static __device__ __forceinline__ void store_all(T *to, const float (&values)[4]) {
        store4(to, *(const float4 *)values);
    }

    static __device__ __forceinline__ void store_all(T *to, const float (&values)[8]) {
        store8(to, values);
    }
};
