// The matrix product under conv2d and the gradients of filters on Hopper's tensor cores: a warpgroup's instruction, its
// operands in shared memory, loaded by TMA.
//
// A block is a producer warpgroup, of which one thread issues the loads, and two consumer warpgroups, each of 64 rows by N
// columns. A stage is K values of k. Shared memory is a ring of STAGES of them: stage i lies in slot i % STAGES, and each
// slot has a full and an empty mbarrier. k ascends by 16 values an instruction and no sum is split.
//
// A convolution's k are taps and channels, which lie side by side in memory (`AlongK`); a filter's gradient sums over
// pixels, across which both its factors lie (`AcrossK`).
// Per stage and block at N = 128, K = 64: 32 KiB loaded, 1,048,576 multiply-adds, eight instructions.
#pragma once

#include "tiles.cuh"

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

namespace wgmma {

// Rows of a block, its threads: a producing warpgroup and two that compute.
enum : u32 { ROWS = tiles::ROWS, THREADS = tiles::WGMMA_THREADS };

// What a block of N columns and stages of K takes of a multiprocessor.
template <u32 N, u32 K>
struct Share {
    enum : u32 {
        // Blocks that run beside each other: while one begins or ends, another computes. Wide ones need all registers.
        BLOCKS = N == 128 ? 1 : N == 32 && K == 32 ? 3 : 2,
        // Stages in shared memory: as many as leave room for the blocks.
        STAGES = tiles::Stages<N, K>::COUNT,
        // Registers of a thread: 65,536 / (384 BLOCKS) at first; the producer gives some of its own away.
        PRODUCER = BLOCKS == 1 ? 40 : 24,
        CONSUMER = BLOCKS == 1 ? 232 : BLOCKS == 2 ? 104 : 72,
    };
};

// The tensor map that TMA reads; the driver encodes it.
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

// Stages whose rows are K neighbours along k: ROWS of x, N of w. TMA swizzles 16-byte parts within a row.
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

// Stages in boxes of K rows, each of which is one k of some neighbours: of x WIDTH, ROWS / WIDTH boxes of them; of w
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
    // Bytes of a stage of x, of both.
    enum : u32 { X = ROWS * 2 * K, STAGE_BYTES = (ROWS + N) * 2 * K, STAGES = Share<N, K>::STAGES };

    // Shared memory: STAGES stages, each at a multiple of 1024 bytes as the swizzle needs it, then the mbarriers.
    u32 stages;
    u32 barriers;

    __device__ __forceinline__ Pipeline(char *memory) {
        static_assert(STAGE_BYTES % 1024 == 0 && X % 1024 == 0, "stages keep their alignment");
        stages = (ptx::shared(memory) + 1023) / 1024 * 1024;
        barriers = stages + STAGES * STAGE_BYTES;
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

    __device__ __forceinline__ u32 full(u32 stage) const {
        return barriers + stage % STAGES * 8;
    }

    __device__ __forceinline__ u32 empty(u32 stage) const {
        return barriers + (STAGES + stage % STAGES) * 8;
    }

    __device__ __forceinline__ u32 x(u32 stage) const {
        return stages + stage % STAGES * STAGE_BYTES;
    }

    __device__ __forceinline__ u32 w(u32 stage) const {
        return x(stage) + X;
    }

    // Producer: wait until every consumer warp has freed the stage's slot, then expect the bytes of the stage.
    __device__ __forceinline__ void begin(u32 stage) const {
        if (stage >= STAGES) {
            ptx::mbarrier_wait_parity(empty(stage), (stage / STAGES - 1) & 1);
        }
        ptx::mbarrier_arrive_expect_tx(full(stage), STAGE_BYTES);
    }

    // Consumer: the sums over `count` stages.
    template <class Unit>
    __device__ __forceinline__ void product(u32 count, float (&sums)[N / 2]) const {
        // A consumer's half of x: 64 rows of k, or the boxes of 64 columns.
        u32 half = (threadIdx.x / 128 - 1) * (X / 2);
#pragma unroll
        for (u32 i = 0; i < N / 2; i++) {
            sums[i] = 0.0f;
        }
#pragma unroll 1
        for (u32 stage = 0; stage < count; stage++) {
            ptx::mbarrier_wait_parity(full(stage), (stage / STAGES) & 1);
            u64 a = Layout::x(x(stage) + half);
            u64 b = Layout::w(w(stage));
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
                ptx::mbarrier_arrive(empty(stage));
            }
        }
    }
};

} // namespace wgmma

#endif
