// The PTX instructions that kernels use, one function each, named as PTX names them.
//
// In the drawings a warp's lane is 4 * g + t, g = 0..7, t = 0..3; `a0 = (g, 2t..)` is a register of lane (g, t) that
// holds row g, columns 2t and 2t + 1, the lower column in the lower half. Addresses of shared memory are 32 bits wide:
// see `shared`. Semantics, and what each target lacks: the PTX ISA manual, whose section is named beside each group.
#pragma once

typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

namespace ptx {

#define PTX static __device__ __forceinline__

// ---- Conversions (cvt)

PTX float cvt_f32_f16(u16 bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

// To the nearest, ties to even.
PTX u16 cvt_rn_f16_f32(float value) {
    u16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

#if __CUDA_ARCH__ >= 800

// Two values to one register, `low` in the lower half.
PTX u32 cvt_rn_f16x2_f32(float low, float high) {
    u32 pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

PTX u32 cvt_rn_bf16x2_f32(float low, float high) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

// To 10 bits of mantissa, the nearest, ties away from zero: a float whose lower 13 bits mean nothing.
PTX u32 cvt_rna_tf32_f32(float value) {
    u32 bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
}

#endif

// ---- Shared memory's addresses (cvta)

PTX u32 shared(const void *pointer) {
    u32 address;
    asm("{ .reg .u64 wide; cvta.to.shared.u64 wide, %1; cvt.u32.u64 %0, wide; }" : "=r"(address) : "l"(pointer));
    return address;
}

// ---- Stores there (st)

PTX void st_shared_u16(u32 address, u16 value) {
    asm volatile("st.shared.u16 [%0], %1;" ::"r"(address), "h"(value) : "memory");
}

PTX void st_shared_u32(u32 address, u32 value) {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}

PTX void st_shared_v4(u32 address, uint4 value) {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(value.x), "r"(value.y), "r"(value.z),
                 "r"(value.w)
                 : "memory");
}

// ---- Loads from there (ld)

PTX u32 ld_shared_u32(u32 address) {
    u32 value;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(value) : "r"(address) : "memory");
    return value;
}

// ---- Matrices of 8 x 8 halves in shared memory (ldmatrix, stmatrix): sm_75, stores sm_90
//
// Lanes 8i to 8i + 7 give the addresses of matrix i's rows, 16 bytes each. Then r[i] = matrix i's (g, 2t..); with
// .trans r[i] = its (2t.., g).

#define LDMATRIX(NAME, KIND, COUNT, REGISTERS, ADDRESS, ...)                                                           \
    PTX void NAME(u32(&r)[COUNT], u32 address) {                                                                       \
        asm volatile("ldmatrix.sync.aligned.m8n8." KIND ".shared.b16 {" REGISTERS "}, [" ADDRESS "];"                  \
                     : __VA_ARGS__                                                                                     \
                     : "r"(address)                                                                                    \
                     : "memory");                                                                                      \
    }
LDMATRIX(ldmatrix_x1, "x1", 1, "%0", "%1", "=r"(r[0]))
LDMATRIX(ldmatrix_x2, "x2", 2, "%0, %1", "%2", "=r"(r[0]), "=r"(r[1]))
LDMATRIX(ldmatrix_x4, "x4", 4, "%0, %1, %2, %3", "%4", "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]))
LDMATRIX(ldmatrix_x1_trans, "x1.trans", 1, "%0", "%1", "=r"(r[0]))
LDMATRIX(ldmatrix_x2_trans, "x2.trans", 2, "%0, %1", "%2", "=r"(r[0]), "=r"(r[1]))
LDMATRIX(ldmatrix_x4_trans, "x4.trans", 4, "%0, %1, %2, %3", "%4", "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]))
#undef LDMATRIX

// ---- A warp's matrix products (mma.sync): d = a * b + d, d in f32
//
// d, 16 x 8:                            c0 c1 = (g, 2t..)          c2 c3 = (g + 8, 2t..)
//
//            a                                              b, k x 8
// m16n8k8    a0 = (g, 2t..)      a1 = (g + 8, 2t..)         b0 = (2t.., g)
// m16n8k16   a0 = (g, 2t..)      a1 = (g + 8, 2t..)         b0 = (2t.., g)
//            a2 = (g, 2t + 8..)  a3 = (g + 8, 2t + 8..)     b1 = (2t + 8.., g)
// tf32       a0 = (g, t)         a1 = (g + 8, t)            b0 = (t, g)
// m16n8k8    a2 = (g, t + 4)     a3 = (g + 8, t + 4)        b1 = (t + 4, g)

// sm_75.
PTX void mma_m16n8k8_f16(float (&d)[4], const u32 (&a)[2], u32 b) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b));
}

#if __CUDA_ARCH__ >= 800

#define MMA(NAME, SHAPE)                                                                                               \
    PTX void NAME(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {                                               \
        asm("mma.sync.aligned." SHAPE " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"               \
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                           \
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                                       \
    }
MMA(mma_m16n8k16_f16, "m16n8k16.row.col.f32.f16.f16.f32")
MMA(mma_m16n8k16_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32")
MMA(mma_m16n8k8_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32")
#undef MMA

// ---- Copies to shared memory that run beside the thread (cp.async): sm_80
//
// `bytes` of BYTES are read, the rest is filled with zeros. ca goes through L1; cg passes it by, and knows 16 bytes only.

template <u32 BYTES>
PTX void cp_async_ca(u32 to, const void *from, u32 bytes = BYTES) {
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "4, 8 or 16 bytes");
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(BYTES), "r"(bytes)
                 : "memory");
}

PTX void cp_async_cg_16(u32 to, const void *from, u32 bytes = 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}

// What was begun since the last commit becomes a group.
PTX void cp_async_commit_group() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until at most N of this thread's latest groups are under way.
template <u32 N>
PTX void cp_async_wait_group() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif

#if __CUDA_ARCH__ >= 900

// The reverse of ldmatrix_x4.
PTX void stmatrix_x4(u32 address, const u32 (&r)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(r[0]),
                 "r"(r[1]), "r"(r[2]), "r"(r[3])
                 : "memory");
}

// ---- Barriers in shared memory (mbarrier): 8 bytes, a count of arrivals and a count of bytes to come. Phases alternate:
// a wait for parity 0 returns when the first phase is over, for parity 1 when the second is.

PTX void mbarrier_init(u32 barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

PTX void mbarrier_inval(u32 barrier) {
    asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

PTX void mbarrier_arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// Arrives, and makes the phase wait for `bytes` more.
PTX void mbarrier_arrive_expect_tx(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

// Waits until the phase of this parity is over. Gives up after minutes: a barrier that nobody completes is an error of
// the kernel's, which should not hang the device.
PTX void mbarrier_wait_parity(u32 barrier, u32 parity) {
    asm volatile("{\n\t.reg .pred over, enough;\n\t.reg .u32 tries;\n\tmov.u32 tries, 0;\n"
                 "WAIT:\n\t"
                 "mbarrier.try_wait.parity.shared::cta.b64 over, [%0], %1;\n\t"
                 "@over bra OVER;\n\t"
                 "add.u32 tries, tries, 1;\n\t"
                 "setp.eq.u32 enough, tries, 16777216;\n\t"
                 "@enough trap;\n\t"
                 "bra WAIT;\n"
                 "OVER:\n\t}" ::"r"(barrier),
                 "r"(parity)
                 : "memory");
}

// Makes a barrier's init known to the asynchronous copies.
PTX void fence_mbarrier_init() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Orders a thread's own writes to shared memory before what copies and wgmma do with it.
PTX void fence_proxy_async() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// Whether this lane is the one that the warp elects.
PTX bool elect_sync() {
    u32 elected;
    asm volatile("{ .reg .pred p; elect.sync _|p, 0xffffffff; selp.u32 %0, 1, 0, p; }" : "=r"(elected)::"memory");
    return elected;
}

// ---- Boxes of a tensor to shared memory (cp.async.bulk.tensor); the barrier counts the bytes. Coordinates are the
// innermost dimension's first. `map` is the tensor map that the driver encoded, in constant, parameter or global memory.

PTX void prefetch_tensormap(const void *map) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

PTX void cp_async_bulk_tensor_2d(u32 to, const void *map, i32 x, i32 y, u32 barrier) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], "
                 "[%4];" ::"r"(to),
                 "l"(map), "r"(x), "r"(y), "r"(barrier)
                 : "memory");
}

// Pixels from (w, h, n) on, walking the bounding box that the map tells, at the tap (tap_x, tap_y) of the window, and
// their channels from c on.
PTX void cp_async_bulk_tensor_4d_im2col(
    u32 to, const void *map, i32 c, i32 w, i32 h, i32 n, u16 tap_x, u16 tap_y, u32 barrier
) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], "
                 "[%1, {%2, %3, %4, %5}], [%6], {%7, %8};" ::"r"(to),
                 "l"(map), "r"(c), "r"(w), "r"(h), "r"(n), "r"(barrier), "h"(tap_x), "h"(tap_y)
                 : "memory");
}

#endif

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

// ---- Registers moved between warpgroups (setmaxnreg): a multiple of 8, 24 to 256. The kernel's launch bounds must tell
// threads and blocks, __launch_bounds__(384, 1), or the assembler ignores it.

template <u32 REGISTERS>
PTX void setmaxnreg_inc() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}

template <u32 REGISTERS>
PTX void setmaxnreg_dec() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}

// ---- A warpgroup's matrix products (wgmma): d = a * b, or d += a * b where `accumulate`; a and b in shared memory
//
// Warp i of the group holds rows 16 i to 16 i + 15 of d, 64 x N; with r = 16 i + g
//     d[4 j], d[4 j + 1] = (r, 8 j + 2t..)      d[4 j + 2], d[4 j + 3] = (r + 8, 8 j + 2t..)
//
// An operand is K-major where a row of shared memory holds neighbours along k, and MN-major where it holds neighbours
// along a's rows or b's columns; 16-bit values may lie either way.

// An operand in shared memory that is K-major and swizzled by 128 bytes: rows of 128 bytes (64 halves, 32 floats), eight
// of them a block of 1024 bytes, in which the 16 bytes number c of row r lie at number c ^ (r % 8), as a tensor map with
// the same swizzle writes them. The matrix begins at a multiple of 1024 bytes; the next 16 k (8 of tf32) lie 32 bytes
// on: add 2 to the descriptor.
//
//     bits 0-13   address / 16
//     bits 16-29  leading dimension's distance / 16: unused under this swizzle, 1
//     bits 32-45  distance of the blocks of eight rows / 16: 64
//     bits 49-51  the matrix's place in a pattern of 1024 bytes: 0
//     bits 62-63  swizzle: 1 is 128 bytes
PTX u64 descriptor_k_major_128(u32 address) {
    return (u64)((address & 0x3ffffu) >> 4) | (u64)1 << 16 | (u64)(1024 >> 4) << 32 | (u64)1 << 62;
}

// The same by 64 bytes: rows of 64 bytes, eight of them a block of 512, in which the 16 bytes number c of row r lie at
// number c ^ (r / 2 % 4).
PTX u64 descriptor_k_major_64(u32 address) {
    return (u64)((address & 0x3ffffu) >> 4) | (u64)1 << 16 | (u64)(512 >> 4) << 32 | (u64)2 << 62;
}

// An MN-major operand of 16-bit values, swizzled by 128 bytes: a row of 128 bytes is one k of 64 columns (a's rows), and
// a block of 1024 bytes is eight k of them, their 16-byte parts swizzled as above: what a tensor map with this swizzle
// writes of a box of 64 channels by pixels, pixels being k. One instruction takes two such blocks, 16 k, of every 64
// columns; the next 16 k lie 2048 bytes on: add 128 to the descriptor. The fields that are not as above:
//
//     bits 16-29  distance from 64 columns to the next 64 / 16: how long a box is
//     bits 32-45  distance from eight k to the next eight / 16: 64
PTX u64 descriptor_mn_major_128(u32 address, u32 distance) {
    return (u64)((address & 0x3ffffu) >> 4) | (u64)(distance >> 4) << 16 | (u64)(1024 >> 4) << 32 | (u64)1 << 62;
}

// The same by 64 bytes: rows of 32 columns, eight k a block of 512 bytes; the next 16 k lie 1024 bytes on.
PTX u64 descriptor_mn_major_64(u32 address, u32 distance) {
    return (u64)((address & 0x3ffffu) >> 4) | (u64)(distance >> 4) << 16 | (u64)(512 >> 4) << 32 | (u64)2 << 62;
}

// Before the first product, and where registers of d were written in between.
PTX void wgmma_fence() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

PTX void wgmma_commit_group() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits until at most N of the latest groups are under way.
template <u32 N>
PTX void wgmma_wait_group() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

// Keeps the compiler from moving uses of d over what stands before or after: no instruction.
template <u32 COUNT>
PTX void hold(float (&d)[COUNT]) {
#pragma unroll
    for (u32 i = 0; i < COUNT; i++) {
        asm volatile("" : "+f"(d[i])::"memory");
    }
}

// Operands 0 to 127, by sixteens: their names in the text, and the registers.
#define NAMES_0 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define NAMES_1 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define NAMES_2 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define NAMES_3 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define NAMES_4 "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define NAMES_5 "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define NAMES_6 "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define NAMES_7 "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define FOUR(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SIXTEEN(i) FOUR(i), FOUR(i + 4), FOUR(i + 8), FOUR(i + 12)

#define NAMES_16 NAMES_0
#define NAMES_32 NAMES_16 ", " NAMES_1
#define NAMES_48 NAMES_32 ", " NAMES_2
#define NAMES_64 NAMES_48 ", " NAMES_3
#define NAMES_96 NAMES_64 ", " NAMES_4 ", " NAMES_5
#define NAMES_128 NAMES_96 ", " NAMES_6 ", " NAMES_7
#define SUMS_16 SIXTEEN(0)
#define SUMS_32 SUMS_16, SIXTEEN(16)
#define SUMS_48 SUMS_32, SIXTEEN(32)
#define SUMS_64 SUMS_48, SIXTEEN(48)
#define SUMS_96 SUMS_64, SIXTEEN(64), SIXTEEN(80)
#define SUMS_128 SUMS_96, SIXTEEN(96), SIXTEEN(112)

// m64nNk16 of f16 and bf16, m64nNk8 of tf32; both operands K-major, or, `trans`, both MN-major.
template <u32 N>
__device__ void wgmma_f16(float (&d)[N / 2], u64 a, u64 b, bool accumulate);
template <u32 N>
__device__ void wgmma_bf16(float (&d)[N / 2], u64 a, u64 b, bool accumulate);
template <u32 N>
__device__ void wgmma_tf32(float (&d)[N / 2], u64 a, u64 b, bool accumulate);
template <u32 N>
__device__ void wgmma_f16_trans(float (&d)[N / 2], u64 a, u64 b, bool accumulate);
template <u32 N>
__device__ void wgmma_bf16_trans(float (&d)[N / 2], u64 a, u64 b, bool accumulate);

#define WGMMA_KIND(NAME, N, SUMS, TYPES, SIGNS, A, B, ACCUMULATE)                                                      \
    template <>                                                                                                        \
    __device__ __forceinline__ void NAME<N>(float (&d)[SUMS], u64 a, u64 b, bool accumulate) {                         \
        asm volatile("{ .reg .pred p; setp.ne.b32 p, " ACCUMULATE ", 0; wgmma.mma_async.sync.aligned.m64n" #N TYPES    \
                     " {" NAMES_##SUMS "}, " A ", " B ", p, " SIGNS "; }"                                              \
                     : SUMS_##SUMS                                                                                     \
                     : "l"(a), "l"(b), "r"((u32)accumulate)                                                            \
                     : "memory");                                                                                      \
    }
#define WGMMA(N, SUMS, A, B, ACCUMULATE)                                                                               \
    WGMMA_KIND(wgmma_f16, N, SUMS, "k16.f32.f16.f16", "1, 1, 0, 0", A, B, ACCUMULATE)                                  \
    WGMMA_KIND(wgmma_bf16, N, SUMS, "k16.f32.bf16.bf16", "1, 1, 0, 0", A, B, ACCUMULATE)                               \
    WGMMA_KIND(wgmma_f16_trans, N, SUMS, "k16.f32.f16.f16", "1, 1, 1, 1", A, B, ACCUMULATE)                            \
    WGMMA_KIND(wgmma_bf16_trans, N, SUMS, "k16.f32.bf16.bf16", "1, 1, 1, 1", A, B, ACCUMULATE)                         \
    WGMMA_KIND(wgmma_tf32, N, SUMS, "k8.f32.tf32.tf32", "1, 1", A, B, ACCUMULATE)
WGMMA(32, 16, "%16", "%17", "%18")
WGMMA(64, 32, "%32", "%33", "%34")
WGMMA(96, 48, "%48", "%49", "%50")
WGMMA(128, 64, "%64", "%65", "%66")
WGMMA(192, 96, "%96", "%97", "%98")
WGMMA(256, 128, "%128", "%129", "%130")

#undef WGMMA
#undef WGMMA_KIND

#endif

#undef PTX

} // namespace ptx
