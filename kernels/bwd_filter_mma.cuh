// The gradients of filters on tensor cores, by mma.sync.
//
// A block of 256 threads makes M o by 128 k; each of its 8 warps 32 o by 16, 32 or 64 k. Shared memory holds three
// stages of 32 pixels (16 of tf32), loaded by asynchronous copies while others are multiplied. Both factors lie pixel
// by pixel, so ldmatrix transposes them; 32-bit values are read one by one.
// Per stage and block at M = 128: 16 KiB loaded, 524,288 multiply-adds (16 bits).
#pragma once

#include "bwd_filter_geometry.cuh"
#include "mma.cuh"

namespace bwd_filter {

// k of a block on tensor cores.
enum : u32 { COLUMNS = 128 };

// How a stage of one factor lies in shared memory: rows of WIDTH values, a row a pixel.
template <class T, u32 WIDTH>
struct Stage {
    enum : u32 {
        VALUES = 16 / sizeof(T),
        ROWS = 64 / sizeof(T),
        PARTS = WIDTH / VALUES,
        BYTES = ROWS * WIDTH * sizeof(T),
        // Parts that the block's threads load at most each.
        SLOTS = (ROWS * PARTS + mma::THREADS - 1) / mma::THREADS,
    };

    // Parts are swizzled so that what a warp reads at once lies in different banks: eight rows' equal parts, of 32-bit
    // values four rows' equal pairs of parts.
    static __device__ __forceinline__ u32 place(u32 row, u32 part) {
        u32 other = sizeof(T) == 4 ? row % 4 * 2 : PARTS == 4 ? row / 2 % 4 : row % 8;
        return (row * PARTS + (part ^ other)) * 16;
    }

    static __device__ __forceinline__ u32 part_of() {
        return threadIdx.x % PARTS;
    }

    static __device__ __forceinline__ u32 row_of(u32 slot) {
        return threadIdx.x / PARTS + slot * (mma::THREADS / PARTS);
    }

    // 16 columns by 32 bytes of rows from `row` and `column` on, as the instruction's left factor, transposed.
    static __device__ __forceinline__ void left(u32 shared, u32 row, u32 column, u32 (&a)[4]) {
        u32 lane = threadIdx.x % 32;
        if constexpr (sizeof(T) == 2) {
            ptx::ldmatrix_x4_trans(a, shared + place(row + lane / 16 * 8 + lane % 8, column / 8 + lane / 8 % 2));
        } else {
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                a[i] = value(shared, row + lane % 4 + i / 2 * 4, column + lane / 4 + i % 2 * 8);
            }
        }
    }

    // The same as the right factor, for two tiles of 8 columns.
    static __device__ __forceinline__ void right(u32 shared, u32 row, u32 column, u32 (&b)[2][2]) {
        u32 lane = threadIdx.x % 32;
        if constexpr (sizeof(T) == 2) {
            u32 two[4];
            ptx::ldmatrix_x4_trans(two, shared + place(row + lane / 8 % 2 * 8 + lane % 8, column / 8 + lane / 16));
            b[0][0] = two[0];
            b[0][1] = two[1];
            b[1][0] = two[2];
            b[1][1] = two[3];
        } else {
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                b[i / 2][i % 2] = value(shared, row + lane % 4 + i % 2 * 4, column + i / 2 * 8 + lane / 4);
            }
        }
    }

    // A 32-bit value, rounded: the tensor core would cut the lower bits off.
    static __device__ __forceinline__ u32 value(u32 shared, u32 row, u32 column) {
        u32 bits = ptx::ld_shared_u32(shared + place(row, column / VALUES) + column % VALUES * sizeof(T));
#if __CUDA_ARCH__ >= 800
        bits = ptx::cvt_rna_tf32_f32(__uint_as_float(bits));
#endif
        return bits;
    }
};

// 16 bytes along k of a window to shared memory.
template <class T>
__device__ __forceinline__ void
copy(const Params &p, u32 to, const T *x, const Window &window, u32 k, const Tap &first) {
    constexpr u32 VALUES = 16 / sizeof(T);
    if (p.c_in % VALUES == 0 || !first.there) {
        const T *from = element(p, x, window, first);
        mma::copy16(to, from ? from : x, from != nullptr);
        return;
    }
#pragma unroll 1
    for (u32 i = 0; i < VALUES; i++) {
        const T *from = element(p, x, window, tap(p, k + i));
        mma::put(to + i * sizeof(T), from ? *from : from_f32<T>(0.0f));
    }
}

// 16 bytes along o of a pixel of dy to shared memory.
template <class T>
__device__ __forceinline__ void copy(const Params &p, u32 to, const T *dy, u32 pixel, u32 o, bool there) {
    constexpr u32 VALUES = 16 / sizeof(T);
    const T *from = dy + (u64)pixel * p.c_out + o;
    if (p.c_out % VALUES == 0) {
        there = there && o < p.c_out;
        mma::copy16(to, there ? from : dy, there);
        return;
    }
#pragma unroll 1
    for (u32 i = 0; i < VALUES; i++) {
        mma::put(to + i * sizeof(T), there && o + i < p.c_out ? from[i] : from_f32<T>(0.0f));
    }
}

// The tensor core's product of factors that are rounded already.
template <class Unit>
struct Product : Unit {};

#if __CUDA_ARCH__ >= 800
template <>
struct Product<mma::Tf32> {
    static __device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
        ptx::mma_m16n8k8_tf32(d, a, b);
    }
};
#endif

template <class Unit, u32 M>
__device__ __forceinline__ void
mma_kernel(const Params &p, const typename Unit::Storage *x, const typename Unit::Storage *dy, float *partial) {
    typedef typename Unit::Storage T;
    typedef Stage<T, M> Left;
    typedef Stage<T, COLUMNS> Right;
    // Warps side by side along k, and their tiles of 8.
    constexpr u32 ACROSS = 8 / (M / 32);
    constexpr u32 TILES = COLUMNS / ACROSS / 8;
    __shared__ __align__(128) char stages[mma::STAGES * (Left::BYTES + Right::BYTES)];
    u32 shared = ptx::shared(stages);
    u32 first_o = blockIdx.y * M;
    u32 first_k = blockIdx.x * COLUMNS;
    u32 begin = blockIdx.z * p.chunk;
    u32 end = min(begin + p.chunk, p.pixels);
    ConvGeometry geometry(p);
    u32 own_k = first_k + Right::part_of() * Right::VALUES;
    Tap own = tap(p, own_k);
    u32 count = end > begin ? (end - begin + Left::ROWS - 1) / Left::ROWS : 0;
    auto load_stage = [&](u32 stage) {
        u32 to = shared + stage % mma::STAGES * (Left::BYTES + Right::BYTES);
        u32 base = begin + stage * Left::ROWS;
#pragma unroll
        for (u32 i = 0; i < Left::SLOTS; i++) {
            u32 row = Left::row_of(i);
            if (row < Left::ROWS) {
                u32 o = first_o + Left::part_of() * Left::VALUES;
                copy(p, to + Left::place(row, Left::part_of()), dy, base + row, o, base + row < end);
            }
        }
        // One after the other: at M = 128 all registers are taken.
#pragma unroll 1
        for (u32 i = 0; i < Right::SLOTS; i++) {
            u32 row = Right::row_of(i);
            Window from = geometry.window(base + row);
            // No row of a window is there.
            from.y = base + row < end ? from.y : -0x40000000;
            copy(p, to + Left::BYTES + Right::place(row, Right::part_of()), x, from, own_k, own);
        }
    };
    float sums[2][TILES][4] = {};
    // Groups are counted: an empty one stands for a stage that is not there.
#pragma unroll
    for (u32 stage = 0; stage < mma::STAGES - 1; stage++) {
        if (stage < count) {
            load_stage(stage);
        }
        mma::commit();
    }
    u32 warp = threadIdx.x / 32;
    u32 warp_o = warp / ACROSS * 32;
    u32 warp_k = warp % ACROSS * (TILES * 8);
    for (u32 stage = 0; stage < count; stage++) {
        mma::wait<mma::STAGES - 2>();
        // The stage is there for all threads, and all are done with the one before, whose slot the next takes.
        __syncthreads();
        if (stage + mma::STAGES - 1 < count) {
            load_stage(stage + mma::STAGES - 1);
        }
        mma::commit();
        u32 at = shared + stage % mma::STAGES * (Left::BYTES + Right::BYTES);
        // Of 32-bit values every place is an address: one half after the other, lest registers be short.
#pragma unroll(sizeof(T) == 4 ? 1 : 2)
        for (u32 row = 0; row < Left::ROWS; row += Left::ROWS / 2) {
            u32 a[2][4];
#pragma unroll
            for (u32 i = 0; i < 2; i++) {
                Left::left(at, row, warp_o + 16 * i, a[i]);
            }
#pragma unroll
            for (u32 j = 0; j < TILES; j += 2) {
                u32 b[2][2];
                Right::right(at + Left::BYTES, row, warp_k + 8 * j, b);
#pragma unroll
                for (u32 i = 0; i < 2; i++) {
                    Product<Unit>::multiply(sums[i][j], a[i], b[0]);
                    Product<Unit>::multiply(sums[i][j + 1], a[i], b[1]);
                }
            }
        }
    }
    u32 lane = threadIdx.x % 32;
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        u32 o = first_o + warp_o + i * 8 + lane / 4;
        float *to = partial + ((u64)blockIdx.z * p.c_out + o) * p.k;
#pragma unroll
        for (u32 j = 0; j < TILES; j++) {
            u32 k = first_k + warp_k + j * 8 + lane % 4 * 2;
            float one = sums[i / 2][j][i % 2 * 2];
            float other = sums[i / 2][j][i % 2 * 2 + 1];
            if (o < p.c_out && k + 1 < p.k && p.k % 2 == 0) {
                *(float2 *)(to + k) = make_float2(one, other);
            } else if (o < p.c_out) {
                if (k < p.k) {
                    to[k] = one;
                }
                if (k + 1 < p.k) {
                    to[k + 1] = other;
                }
            }
        }
    }
}

} // namespace bwd_filter
