// The matrix product under conv2d on Hopper's tensor cores: a warpgroup's instruction, its operands in shared memory,
// brought there by the copy engine.
//
// A block is a producer, of which one thread asks for pieces of K values of k, and two consumers, each a warpgroup that
// makes 64 rows by N columns. Pieces go round in shared memory; of each a barrier tells that it is full, another that it
// is empty. k ascends by 16 values an instruction and no
// sum is split.
// Per piece and block at N = 128, K = 64: 32 KiB brought, 1,048,576 multiply-adds, eight instructions.
#pragma once

#include "common.cuh"

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

namespace wgmma {

// Rows of a block, its threads: a producing warpgroup and two that compute.
enum : u32 { ROWS = 128, THREADS = 384 };

// What a block of N columns and pieces of K takes of a multiprocessor.
template <u32 N, u32 K>
struct Share {
    enum : u32 {
        // Blocks that run beside each other: while one begins or ends, another computes. Wide ones need all registers.
        BLOCKS = N == 128 ? 1 : N == 32 && K == 32 ? 3 : 2,
        // Pieces in shared memory: as many as leave room for the blocks.
        STAGES = N == 96 && K == 64 ? 3 : 4,
        // Registers of a thread: 65,536 / (384 BLOCKS) at first; who only asks for copies gives some away.
        PRODUCER = BLOCKS == 1 ? 40 : 24,
        CONSUMER = BLOCKS == 1 ? 232 : BLOCKS == 2 ? 104 : 72,
    };
};

// How the copy engine finds a tensor; the driver encodes it.
struct alignas(64) TensorMap {
    u64 words[16];
};

struct F16 {
    typedef f16 Storage;

    template <u32 N>
    static __device__ __forceinline__ void multiply(float (&d)[N / 2], u64 a, u64 b, bool accumulate) {
        ptx::wgmma_f16<N>(d, a, b, accumulate);
    }
};

struct Bf16 {
    typedef bf16 Storage;

    template <u32 N>
    static __device__ __forceinline__ void multiply(float (&d)[N / 2], u64 a, u64 b, bool accumulate) {
        ptx::wgmma_bf16<N>(d, a, b, accumulate);
    }
};

// This thread's warp's first row.
static __device__ __forceinline__ u32 first_row() {
    return threadIdx.x / 32 % 4 * 16 + (threadIdx.x / 128 - 1) * 64;
}

template <u32 N, u32 K>
struct Pipeline {
    // Bytes of a row of a piece, which is also how far the copy engine exchanges 16-byte parts; of a piece of x, of both.
    enum : u32 { ROW = 2 * K, X = ROWS * ROW, PIECE = (ROWS + N) * ROW, STAGES = Share<N, K>::STAGES };

    // Shared memory: STAGES pieces, each at a multiple of 1024 bytes as the exchange needs it, then the barriers.
    u32 pieces;
    u32 barriers;

    __device__ __forceinline__ Pipeline(char *memory) {
        static_assert(PIECE % 1024 == 0 && X % 1024 == 0, "pieces keep their alignment");
        pieces = (ptx::shared(memory) + 1023) / 1024 * 1024;
        barriers = pieces + STAGES * PIECE;
        if (threadIdx.x == 0) {
#pragma unroll
            for (u32 i = 0; i < STAGES; i++) {
                ptx::mbarrier_init(full(i), 1);
                ptx::mbarrier_init(empty(i), 8);
            }
            ptx::fence_mbarrier_init();
        }
        __syncthreads();
    }

    __device__ __forceinline__ bool is_producer() const {
        return threadIdx.x < 128;
    }

    __device__ __forceinline__ u32 full(u32 piece) const {
        return barriers + piece % STAGES * 8;
    }

    __device__ __forceinline__ u32 empty(u32 piece) const {
        return barriers + (STAGES + piece % STAGES) * 8;
    }

    __device__ __forceinline__ u32 x(u32 piece) const {
        return pieces + piece % STAGES * PIECE;
    }

    __device__ __forceinline__ u32 w(u32 piece) const {
        return x(piece) + X;
    }

    // The producer: waits until all warps of the consumers have left the place of a piece, and tells how much will come there.
    __device__ __forceinline__ void begin(u32 piece) const {
        if (piece >= STAGES) {
            ptx::mbarrier_wait_parity(empty(piece), (piece / STAGES - 1) & 1);
        }
        ptx::mbarrier_arrive_expect_tx(full(piece), PIECE);
    }

    static __device__ __forceinline__ u64 descriptor(u32 address) {
        return K == 64 ? ptx::descriptor_k_major_128(address) : ptx::descriptor_k_major_64(address);
    }

    // A consumer's sums of all pieces.
    template <class Unit>
    __device__ __forceinline__ void product(u32 count, float (&sums)[N / 2]) const {
        u32 rows = (threadIdx.x / 128 - 1) * 64 * ROW;
#pragma unroll
        for (u32 i = 0; i < N / 2; i++) {
            sums[i] = 0.0f;
        }
#pragma unroll 1
        for (u32 piece = 0; piece < count; piece++) {
            ptx::mbarrier_wait_parity(full(piece), (piece / STAGES) & 1);
            u64 a = descriptor(x(piece) + rows);
            u64 b = descriptor(w(piece));
            ptx::hold(sums);
            ptx::wgmma_fence();
#pragma unroll
            for (u32 i = 0; i < K / 16; i++) {
                // 16 values further: 32 bytes, in sixteens.
                Unit::template multiply<N>(sums, a + 2 * i, b + 2 * i, true);
            }
            ptx::wgmma_commit_group();
            // While this consumer waits the other one computes. Each warp speaks for itself: its wait tells of no other.
            ptx::wgmma_wait_group<0>();
            ptx::hold(sums);
            if (threadIdx.x % 32 == 0) {
                ptx::mbarrier_arrive(empty(piece));
            }
        }
    }
};

} // namespace wgmma

#endif
