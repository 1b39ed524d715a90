// The matrix product under conv2d and dense, of multiply-adds in f32: rows of x, which may be windows of an image, by
// columns of w, over k.
//
// A block of 256 threads makes 16 * R rows by 64 columns, a thread R rows by 4 columns. Shared memory
// holds two stages of 16 k: while one is multiplied the next is loaded into registers. k ascends and each sum belongs to
// one thread, so a row's result depends neither on the rows beside it nor on their number.
// Per stage and block at R = 8: 12 KiB read from memory, 131,072 multiply-adds; per k and thread 3 shared loads of 16
// bytes for 32 multiply-adds.
#pragma once

#include "common.cuh"

namespace igemm {

// k of a stage, columns of a block.
enum : u32 { K = 16, COLUMNS = 64 };

// Fours of k that a thread loads of x for a stage.
template <u32 R>
constexpr u32 SLOTS = (16 * R * K / 4 + 255) / 256;

// A row of a stage of x in shared memory: four more than needed spread the stores over the banks.
template <u32 R>
constexpr u32 WIDTH = 16 * R + 4;

template <u32 R>
struct Shared {
    // x: [2, 16 k, 16 * R rows and padding] f32
    float x[2][K][WIDTH<R>];
    // w: [2, 16 k, 64 columns] f32
    float w[2][K][COLUMNS];
};

// The row of the block that slot `i` of this thread loads, and the k of the stage that it begins with.
static __device__ __forceinline__ u32 row_of(u32 i) {
    return threadIdx.x / 4 + i * 64;
}

static __device__ __forceinline__ u32 first_k() {
    return threadIdx.x % 4 * 4;
}

// Four columns of a row of w, zero past its end.
template <class T>
__device__ __forceinline__ float4 filters(const T *w, u32 k, u32 total, u32 column, u32 columns) {
    if (k < total && column < columns) {
        return load4(w + ((u64)k * columns + column) * 4);
    }
    return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
}

// Sums of this thread's R rows, from threadIdx.x / 16 * R on, by four columns, from threadIdx.x % 16 * 4 on.
//
// `source` loads x: source.fetch(slot) is the four k of a slot, zero past the matrix; source.advance(n) goes on by n k.
// It begins at k = first_k(). `column` is the vector of four columns that the block begins with.
template <u32 R, class T, class Source>
__device__ __forceinline__ void product(
    Shared<R> &shared, Source &source, const T *w, u32 total, u32 column, u32 columns, float (&sums)[R][4]
) {
    u32 thread = threadIdx.x;
    u32 rows = thread / 16;
    u32 lane = thread % 16;
    float4 next_x[SLOTS<R>];
    float4 next_w;
    auto load_stage = [&](u32 base) {
#pragma unroll
        for (u32 i = 0; i < SLOTS<R>; i++) {
            if (row_of(i) < 16 * R) {
                next_x[i] = source.fetch(i);
            }
        }
        source.advance(K);
        next_w = filters(w, base + rows, total, column + lane, columns);
    };
    auto put = [&](u32 half) {
#pragma unroll
        for (u32 i = 0; i < SLOTS<R>; i++) {
            if (row_of(i) < 16 * R) {
                shared.x[half][first_k()][row_of(i)] = next_x[i].x;
                shared.x[half][first_k() + 1][row_of(i)] = next_x[i].y;
                shared.x[half][first_k() + 2][row_of(i)] = next_x[i].z;
                shared.x[half][first_k() + 3][row_of(i)] = next_x[i].w;
            }
        }
        *(float4 *)&shared.w[half][rows][lane * 4] = next_w;
    };
#pragma unroll
    for (u32 i = 0; i < R; i++) {
#pragma unroll
        for (u32 j = 0; j < 4; j++) {
            sums[i][j] = 0.0f;
        }
    }
    load_stage(0);
    put(0);
    __syncthreads();
    u32 half = 0;
    for (u32 base = 0; base < total; base += K) {
        bool more = base + K < total;
        if (more) {
            load_stage(base + K);
        }
#pragma unroll
        for (u32 k = 0; k < K; k++) {
            float values[R];
            if constexpr (R % 4 == 0) {
#pragma unroll
                for (u32 i = 0; i < R; i += 4) {
                    *(float4 *)&values[i] = *(const float4 *)&shared.x[half][k][rows * R + i];
                }
            } else {
#pragma unroll
                for (u32 i = 0; i < R; i++) {
                    values[i] = shared.x[half][k][rows * R + i];
                }
            }
            float4 four = *(const float4 *)&shared.w[half][k][lane * 4];
#pragma unroll
            for (u32 i = 0; i < R; i++) {
                sums[i][0] += values[i] * four.x;
                sums[i][1] += values[i] * four.y;
                sums[i][2] += values[i] * four.z;
                sums[i][3] += values[i] * four.w;
            }
        }
        // The other half was last read before the previous barrier.
        if (more) {
            put(half ^ 1);
        }
        __syncthreads();
        half ^= 1;
    }
}

} // namespace igemm
