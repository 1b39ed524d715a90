// Joining along the last axis, one launch for each part; only where no producer could write in place.
//
//     y[row, offset + i] = x[row, i]
//
// One thread four elements where channels come in fours, else one. Operations: 0 an element. Bytes: each input read once,
// y written once.
// Targets: compute_75
// Hot: concat_fwd_f32 concat_fwd_f16 concat_fwd_bf16

#include "map.cuh"

struct Params {
    u32 elements;
    // Extent of the part's last axis, and of the result's.
    u32 c;
    u32 c_out;
    // Where the part begins in the result's last axis.
    u32 offset;
};

template <class T>
__device__ void concat_fwd(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // y: [elements / c, c_out] T
    T *y
) {
    bool fours = (p.c | p.c_out | p.offset) % 4 == 0;
    auto to = [&](u32 at) { return y + (u64)(at / p.c) * p.c_out + p.offset + at % p.c; };
    map::copy(p.elements, fours, to, [&](u32 at) { return x + at; });
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) concat_fwd_##SUFFIX(const Params p, const T *x, T *y) {          \
        concat_fwd(p, x, y);                                                                                           \
    }
EVERY_DTYPE(KERNEL)
