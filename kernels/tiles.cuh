// The numbers of tiles on tensor cores. Made of src/backend/kernels/kernel.rs by
//     WARPFACE_WRITE=1 cargo test --test sync_cuda
// which otherwise compares: change them there.
#pragma once

#include "common.cuh"

namespace tiles {

enum : u32 {
    ROWS = 128,
    MMA_THREADS = 256,
    MMA_STAGES = 3,
    WGMMA_THREADS = 384,
};

// Stages of wgmma's shared memory, for N columns and K elements of the summed axis in a stage.
template <u32 N, u32 K>
struct Stages;
template <>
struct Stages<32, 32> {
    enum : u32 { COUNT = 4 };
};
template <>
struct Stages<32, 64> {
    enum : u32 { COUNT = 4 };
};
template <>
struct Stages<64, 32> {
    enum : u32 { COUNT = 4 };
};
template <>
struct Stages<64, 64> {
    enum : u32 { COUNT = 4 };
};
template <>
struct Stages<96, 32> {
    enum : u32 { COUNT = 4 };
};
template <>
struct Stages<96, 64> {
    enum : u32 { COUNT = 3 };
};
template <>
struct Stages<128, 32> {
    enum : u32 { COUNT = 4 };
};
template <>
struct Stages<128, 64> {
    enum : u32 { COUNT = 4 };
};

} // namespace tiles

// KERNEL(A.., N) of every width of mma.sync, KERNEL(A.., N, K) of every shape of wgmma.
#define EVERY_MMA_WIDTH(KERNEL, ...) \
    KERNEL(__VA_ARGS__, 32) \
    KERNEL(__VA_ARGS__, 64) \
    KERNEL(__VA_ARGS__, 128)
#define EVERY_WGMMA_SHAPE(KERNEL, ...) \
    KERNEL(__VA_ARGS__, 32, 32) \
    KERNEL(__VA_ARGS__, 32, 64) \
    KERNEL(__VA_ARGS__, 64, 32) \
    KERNEL(__VA_ARGS__, 64, 64) \
    KERNEL(__VA_ARGS__, 96, 32) \
    KERNEL(__VA_ARGS__, 96, 64) \
    KERNEL(__VA_ARGS__, 128, 32) \
    KERNEL(__VA_ARGS__, 128, 64)
