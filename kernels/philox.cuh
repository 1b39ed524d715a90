// Random numbers by address: Philox4x32 with ten rounds (Salmon, Moraes, Dror, Shaw 2011), as src/random.rs has it.
#pragma once

#include "ptx.cuh"

// Words 4 i to 4 i + 3 of a stream.
static __device__ __forceinline__ uint4 philox(u32 key_low, u32 key_high, u32 i, u32 step, u32 purpose) {
    uint4 counter = make_uint4(i, step, 0, purpose);
#pragma unroll
    for (u32 round = 0; round < 10; round++) {
        u64 a = (u64)0xd2511f53u * counter.x;
        u64 b = (u64)0xcd9e8d57u * counter.z;
        counter = make_uint4((u32)(b >> 32) ^ counter.y ^ key_low, (u32)b, (u32)(a >> 32) ^ counter.w ^ key_high, (u32)a);
        key_low += 0x9e3779b9u;
        key_high += 0xbb67ae85u;
    }
    return counter;
}

// Word i of a stream.
static __device__ __forceinline__ u32 philox_word(u32 key_low, u32 key_high, u32 i, u32 step, u32 purpose) {
    uint4 words = philox(key_low, key_high, i / 4, step, purpose);
    u32 of = i % 4;
    return of == 0 ? words.x : of == 1 ? words.y : of == 2 ? words.z : words.w;
}
