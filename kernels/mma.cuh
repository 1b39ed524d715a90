// The matrix product under conv2d on tensor cores, by mma.sync: rows of x, which may be windows of an image, by rows of
// w, over k, which is innermost in both.
//
// A block of 256 threads makes 128 rows by N columns; each of its 8 warps 32 columns by 16, 32 or 64 rows. Shared memory
// holds STAGES stages of 64 bytes of k (32 values of 16 bits, 16 of tf32), loaded by asynchronous copies while others
// are multiplied. Stage i lies in slot i % STAGES. k ascends by 32 bytes an instruction and no sum is split: a row's result
// depends neither on the rows beside it nor on their number.
// Per stage and block at N = 128: 16 KiB loaded, 1,048,576 multiply-adds (16 bits); per warp and 32 bytes of k 6 loads
// of 512 bytes from shared memory for 16 instructions.
#pragma once

#include "tiles.cuh"

namespace mma {

// Rows of a block, its threads, bytes of a row of a stage, stages in shared memory.
enum : u32 { ROWS = tiles::ROWS, THREADS = tiles::MMA_THREADS, ROW = 64, STAGES = tiles::MMA_STAGES };

// What the instruction multiplies: the storage type, and d += a * b over 32 bytes of k.
struct F16 {
    typedef f16 Storage;

    static __device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#if __CUDA_ARCH__ >= 800
        ptx::mma_m16n8k16_f16(d, a, b);
#else
        ptx::mma_m16n8k8_f16(d, {a[0], a[1]}, b[0]);
        ptx::mma_m16n8k8_f16(d, {a[2], a[3]}, b[1]);
#endif
    }
};

#if __CUDA_ARCH__ >= 800
struct Bf16 {
    typedef bf16 Storage;

    static __device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
        ptx::mma_m16n8k16_bf16(d, a, b);
    }
};

struct Tf32 {
    typedef float Storage;

    // The tensor core would cut the lower bits off; rounding halves the error. w is rounded on its way to the
    // device.
    static __device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
        u32 rounded[4];
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            rounded[i] = ptx::cvt_rna_tf32_f32(__uint_as_float(a[i]));
        }
        ptx::mma_m16n8k8_tf32(d, rounded, b);
    }
};
#endif

// A value to shared memory, at once.
static __device__ __forceinline__ void put(u32 to, float value) {
    ptx::st_shared_u32(to, __float_as_uint(value));
}

template <class T>
__device__ __forceinline__ void put(u32 to, T value) {
    ptx::st_shared_u16(to, value.bits);
}

// A value's bits.
static __device__ __forceinline__ u32 bits(float value) {
    return __float_as_uint(value);
}

template <class T>
__device__ __forceinline__ u32 bits(T value) {
    return value.bits;
}

// 16 bytes to shared memory, zeros if they are not there: asynchronously where the architecture can, at once on Turing.
static __device__ __forceinline__ void copy16(u32 to, const void *from, bool there) {
#if __CUDA_ARCH__ >= 800
    ptx::cp_async_cg_16(to, from, there ? 16 : 0);
#else
    ptx::st_shared_v4(to, there ? *(const uint4 *)from : make_uint4(0, 0, 0, 0));
#endif
}

// Ends a group of copies.
static __device__ __forceinline__ void commit() {
#if __CUDA_ARCH__ >= 800
    ptx::cp_async_commit_group();
#endif
}

// Waits until all but the last N groups of this thread's copies are there.
template <u32 N>
__device__ __forceinline__ void wait() {
#if __CUDA_ARCH__ >= 800
    ptx::cp_async_wait_group<N>();
#endif
}

// Bytes of a stage: rows of x, then of w.
template <u32 N>
constexpr u32 STAGE_BYTES = (ROWS + N) * ROW;

// Where a 16-byte part of a row lies: parts are swizzled so that eight rows' equal parts lie in different banks.
static __device__ __forceinline__ u32 place(u32 row, u32 part) {
    return row * ROW + ((part ^ (row / 2 % 4)) * 16);
}

// The part that this thread loads, and the first of the rows, 64 apart, of which it does.
static __device__ __forceinline__ u32 part_of() {
    return threadIdx.x % 4;
}

static __device__ __forceinline__ u32 row_of() {
    return threadIdx.x / 4;
}

// How a block's warps share its rows and columns.
template <u32 N>
struct Warps {
    enum : u32 {
        ACROSS = N / 32,
        DOWN = 8 / ACROSS,
        // Tiles of 16 rows of a warp.
        TILES = ROWS / 16 / DOWN,
    };

    static __device__ __forceinline__ u32 first_row() {
        return threadIdx.x / 32 / ACROSS * (TILES * 16);
    }

    static __device__ __forceinline__ u32 first_column() {
        return threadIdx.x / 32 % ACROSS * 32;
    }
};

// Sums of this warp's tiles of 16 rows by 4 tiles of 8 columns.
//
// `source` loads x: source.copy(slot, to) sends 16 bytes of row row_of() + 64 * slot to shared memory, zero past the
// matrix; source.advance() goes on by a stage. `w` are rows of `pitch` values, of which c_out from `column` on exist.
template <class Unit, u32 N, class Source>
__device__ __forceinline__ void product(
    u32 shared, Source &source, const typename Unit::Storage *w, u32 pitch, u32 column, u32 c_out,
    float (&sums)[Warps<N>::TILES][4][4]
) {
    typedef typename Unit::Storage T;
    constexpr u32 VALUES = 16 / sizeof(T);
    u32 stages = (pitch * sizeof(T) + ROW - 1) / ROW;
    auto load_stage = [&](u32 stage) {
        u32 to = shared + stage % STAGES * STAGE_BYTES<N>;
#pragma unroll
        for (u32 i = 0; i < ROWS / 64; i++) {
            source.copy(i, to + place(row_of() + i * 64, part_of()));
        }
        source.advance();
        u32 k = stage * (ROW / sizeof(T)) + part_of() * VALUES;
#pragma unroll
        for (u32 i = 0; i < (N + 63) / 64; i++) {
            u32 row = row_of() + i * 64;
            if (row < N) {
                bool there = k < pitch && column + row < c_out;
                const T *from = there ? w + (u64)(column + row) * pitch + k : w;
                copy16(to + ROWS * ROW + place(row, part_of()), from, there);
            }
        }
    };
#pragma unroll
    for (u32 i = 0; i < Warps<N>::TILES; i++) {
#pragma unroll
        for (u32 j = 0; j < 4; j++) {
#pragma unroll
            for (u32 l = 0; l < 4; l++) {
                sums[i][j][l] = 0.0f;
            }
        }
    }
    // Groups are counted: an empty one stands for a stage that is not there.
#pragma unroll
    for (u32 stage = 0; stage < STAGES - 1; stage++) {
        if (stage < stages) {
            load_stage(stage);
        }
        commit();
    }
    u32 lane = threadIdx.x % 32;
    u32 row_x = Warps<N>::first_row() + lane % 16;
    u32 part_x = lane / 16;
    u32 row_w = Warps<N>::first_column() + lane / 16 * 8 + lane % 8;
    u32 part_w = lane / 8 % 2;
    for (u32 stage = 0; stage < stages; stage++) {
        wait<STAGES - 2>();
        // The stage is there for all threads, and all are done with the one before, whose slot the next takes.
        __syncthreads();
        if (stage + STAGES - 1 < stages) {
            load_stage(stage + STAGES - 1);
        }
        commit();
        u32 x = shared + stage % STAGES * STAGE_BYTES<N>;
#pragma unroll
        for (u32 step = 0; step < 2; step++) {
            u32 b[4][2];
#pragma unroll
            for (u32 j = 0; j < 4; j += 2) {
                u32 two[4];
                ptx::ldmatrix_x4(two, x + ROWS * ROW + place(row_w + 8 * j, 2 * step + part_w));
                b[j][0] = two[0];
                b[j][1] = two[1];
                b[j + 1][0] = two[2];
                b[j + 1][1] = two[3];
            }
#pragma unroll
            for (u32 i = 0; i < Warps<N>::TILES; i++) {
                u32 a[4];
                ptx::ldmatrix_x4(a, x + place(row_x + 16 * i, 2 * step + part_x));
#pragma unroll
                for (u32 j = 0; j < 4; j++) {
                    Unit::multiply(sums[i][j], a, b[j]);
                }
            }
        }
    }
}

// Four tiles of 8 columns, of which each lane of a quad holds two columns, to eight columns a lane: lane t of the quad
// gets tile t. `half` is the upper (0) or lower (1) row of the lane.
static __device__ __forceinline__ void transpose(const float (&tiles)[4][4], u32 half, float (&row)[8]) {
    bool odd = threadIdx.x & 1;
    bool second = threadIdx.x & 2;
    // By pairs of lanes: of tiles 2 p and 2 p + 1 the even lane takes the first, the odd one the second.
    float pairs[2][4];
#pragma unroll
    for (u32 p = 0; p < 2; p++) {
#pragma unroll
        for (u32 i = 0; i < 2; i++) {
            float one = tiles[2 * p][2 * half + i];
            float other = tiles[2 * p + 1][2 * half + i];
            float kept = odd ? other : one;
            float got = __shfl_xor_sync(0xffffffffu, odd ? one : other, 1);
            pairs[p][i] = odd ? got : kept;
            pairs[p][2 + i] = odd ? kept : got;
        }
    }
    // By pairs of pairs, likewise.
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        float kept = second ? pairs[1][i] : pairs[0][i];
        float got = __shfl_xor_sync(0xffffffffu, second ? pairs[0][i] : pairs[1][i], 2);
        row[i] = second ? got : kept;
        row[4 + i] = second ? kept : got;
    }
}

// This lane's row of a tile of 16, and its first column of 32, after transposing.
static __device__ __forceinline__ u32 lane_row(u32 half) {
    return threadIdx.x % 32 / 4 + half * 8;
}

static __device__ __forceinline__ u32 lane_column() {
    return threadIdx.x % 4 * 8;
}

} // namespace mma
