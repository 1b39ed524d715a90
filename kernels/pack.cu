// Filters to the layout of conv2d and dense, for filters that are computed or trained rather than given: given ones are
// packed once, on their way to the device. `tap(k, o)` is the element of w that multiplies input k for output o:
//
//     forward:  o is a channel of the output, k a tap and a channel of the input.
//     backward: the gradient of the input is a convolution of dy; o is a channel of the input, k a tap and a channel of
//               the output. Taps are walked from `last` backwards in steps of the stride, which are those that meet one
//               of the stride's phases.
//
//     columns: packed[k, o], channels padded to a multiple of four;  rows: packed[o, k], k padded to a multiple of eight
//
// Columns are for the kernels that multiply by ordinary instructions, rows for tensor cores (pack_mma), which take values
// of tf32 rounded. `keep_f32` kernels take filters that are f32 in every precision.
// One thread an element. Bytes: w read once, packed written once.
// Targets: compute_75

#include "common.cuh"

struct Params {
    // Elements of packed, and of one of its rows.
    u32 elements;
    u32 pitch;
    // Extents of w: [c_out, k_h, k_w, c_in].
    u32 c_out;
    u32 k_h;
    u32 k_w;
    u32 c_in;
    // Taps that are taken: extents, the last of each axis, steps between them. Backward alone.
    u32 taps_y;
    u32 taps_x;
    u32 last_y;
    u32 last_x;
    u32 step_y;
    u32 step_x;
    // 1 for backward.
    u32 backward;
};

// The element of w at input k of output o; false in the padding.
static __device__ __forceinline__ bool tap(const Params &p, u32 k, u32 o, u64 &at) {
    if (p.backward == 1) {
        u32 place = k / p.c_out;
        u32 ky = p.last_y - place / p.taps_x * p.step_y;
        u32 kx = p.last_x - place % p.taps_x * p.step_x;
        at = ((u64)(k % p.c_out * p.k_h + ky) * p.k_w + kx) * p.c_in + o;
        return o < p.c_in && place < p.taps_y * p.taps_x;
    }
    u32 total = p.k_h * p.k_w * p.c_in;
    at = (u64)o * total + k;
    return o < p.c_out && k < total;
}

// To the nearest, ties away from zero, as cvt.rna.tf32.f32, which begins with sm_80.
static __device__ __forceinline__ float tf32(float value) {
    u32 bits = __float_as_uint(value);
    bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    return __uint_as_float(finite ? (bits + 0x1000u) & ~0x1fffu : bits);
}

template <bool ROWS, bool ROUND, class S, class T>
__device__ void pack(
    const Params &p,
    // w: [c_out, k_h, k_w, c_in] S
    const S *w,
    // packed: [elements / pitch, pitch] T
    T *packed
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u32 row = at / p.pitch;
    u32 column = at - row * p.pitch;
    u64 from;
    bool there = tap(p, ROWS ? column : row, ROWS ? row : column, from);
    float value = there ? load(w + from) : 0.0f;
    store(packed + at, ROUND ? tf32(value) : value);
}

#define ENTRY(NAME, ROWS, ROUND, S, T, SUFFIX)                                                                         \
    extern "C" __global__ void __launch_bounds__(256) NAME##_##SUFFIX(const Params p, const S *w, T *packed) {         \
        pack<ROWS, ROUND>(p, w, packed);                                                                               \
    }
#define KERNEL(T, SUFFIX)                                                                                              \
    ENTRY(pack, false, false, T, T, SUFFIX)                                                                            \
    ENTRY(pack_keep_f32, false, false, float, T, SUFFIX)
EVERY_DTYPE(KERNEL)
#define MMA(T, ROUND, SUFFIX)                                                                                          \
    ENTRY(pack_mma, true, ROUND, T, T, SUFFIX)                                                                         \
    ENTRY(pack_mma_keep_f32, true, ROUND, float, T, SUFFIX)
MMA(f16, false, f16)
MMA(bf16, false, bf16)
MMA(float, true, tf32)
