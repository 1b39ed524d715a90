// The matrix product under conv2d and the gradients of filters on Hopper's tensor cores: a warpgroup's instruction, its
// operands in shared memory, brought there by the copy engine.
//
// A block is a producer, of which one thread asks for pieces of K values of k, and two consumers, each a warpgroup that
// makes 64 rows by N columns. Pieces go round in shared memory; of each a barrier tells that it is full, another that it
// is empty. k ascends by 16 values an instruction and no sum is split.
//
// A convolution's k are taps and channels, which lie side by side in memory (`AlongK`); a filter's gradient sums over
// pixels, across which both its factors lie (`AcrossK`).
// Per piece and block at N = 128, K = 64: 32 KiB brought, 1,048,576 multiply-adds, eight instructions.
#pragma once

#include "tiles.cuh"

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

namespace wgmma {

// Rows of a block, its threads: a producing warpgroup and two that compute.
enum : u32 { ROWS = tiles::ROWS, THREADS = tiles::WGMMA_THREADS };

// What a block of N columns and pieces of K takes of a multiprocessor.
template <u32 N, u32 K>
struct Share {
    enum : u32 {
        // Blocks that run beside each other: while one begins or ends, another computes. Wide ones need all registers.
        BLOCKS = N == 128 ? 1 : N == 32 && K == 32 ? 3 : 2,
        // Pieces in shared memory: as many as leave room for the blocks.
        STAGES = tiles::Stages<N, K>::COUNT,
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

    template <u32 N, bool TRANS>
    static __device__ __forceinline__ void multiply(float (&d)[N / 2], u64 a, u64 b, bool accumulate) {
        if constexpr (TRANS) {
            ptx::wgmma_f16_trans<N>(d, a, b, accumulate);
        } else {
            ptx::wgmma_f16<N>(d, a, b, accumulate);
        }
    }
};

struct Bf16 {
    typedef bf16 Storage;

    template <u32 N, bool TRANS>
    static __device__ __forceinline__ void multiply(float (&d)[N / 2], u64 a, u64 b, bool accumulate) {
        if constexpr (TRANS) {
            ptx::wgmma_bf16_trans<N>(d, a, b, accumulate);
        } else {
            ptx::wgmma_bf16<N>(d, a, b, accumulate);
        }
    }
};

// This thread's warp's first row.
static __device__ __forceinline__ u32 first_row() {
    return threadIdx.x / 32 % 4 * 16 + (threadIdx.x / 128 - 1) * 64;
}

// Pieces whose rows are K neighbours along k: ROWS of x, N of w. The copy engine exchanges 16-byte parts within a row.
template <u32 N, u32 K>
struct AlongK {
    // Where 16 k further lie, in sixteens of bytes.
    enum : u32 { STEP_X = 2, STEP_W = 2 };
    enum : bool { TRANS = false };

    static __device__ __forceinline__ u64 descriptor(u32 address) {
        return K == 64 ? ptx::descriptor_k_major_128(address) : ptx::descriptor_k_major_64(address);
    }

    static __device__ __forceinline__ u64 x(u32 address) {
        return descriptor(address);
    }

    static __device__ __forceinline__ u64 w(u32 address) {
        return descriptor(address);
    }
};

// Pieces in boxes of K rows, each of which is one k of some neighbours: of x WIDTH, ROWS / WIDTH boxes of them; of w
// WIDTH_W, N / WIDTH_W boxes.
template <u32 N, u32 K, u32 WIDTH>
struct AcrossK {
    // Bytes of a box, and of 16 k of it in sixteens.
    enum : u32 {
        WIDTH_W = N % 64 == 0 ? 64 : 32,
        BOX_X = K * 2 * WIDTH,
        BOX_W = K * 2 * WIDTH_W,
        STEP_X = 2 * WIDTH,
        STEP_W = 2 * WIDTH_W,
    };
    enum : bool { TRANS = true };

    template <u32 OF>
    static __device__ __forceinline__ u64 descriptor(u32 address) {
        constexpr u32 BOX = K * 2 * OF;
        return OF == 64 ? ptx::descriptor_mn_major_128(address, BOX) : ptx::descriptor_mn_major_64(address, BOX);
    }

    static __device__ __forceinline__ u64 x(u32 address) {
        return descriptor<WIDTH>(address);
    }

    static __device__ __forceinline__ u64 w(u32 address) {
        return descriptor<WIDTH_W>(address);
    }
};

template <u32 N, u32 K, class Layout = AlongK<N, K>>
struct Pipeline {
    // Bytes of a piece of x, of both.
    enum : u32 { X = ROWS * 2 * K, PIECE = (ROWS + N) * 2 * K, STAGES = Share<N, K>::STAGES };

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

    // A consumer's sums of all pieces.
    template <class Unit>
    __device__ __forceinline__ void product(u32 count, float (&sums)[N / 2]) const {
        // A consumer's half of x: 64 rows of k, or the boxes of 64 columns.
        u32 half = (threadIdx.x / 128 - 1) * (X / 2);
#pragma unroll
        for (u32 i = 0; i < N / 2; i++) {
            sums[i] = 0.0f;
        }
#pragma unroll 1
        for (u32 piece = 0; piece < count; piece++) {
            ptx::mbarrier_wait_parity(full(piece), (piece / STAGES) & 1);
            u64 a = Layout::x(x(piece) + half);
            u64 b = Layout::w(w(piece));
            ptx::hold(sums);
            ptx::wgmma_fence();
#pragma unroll
            for (u32 i = 0; i < K / 16; i++) {
                Unit::template multiply<N, Layout::TRANS>(sums, a + Layout::STEP_X * i, b + Layout::STEP_W * i, true);
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
