// A range of channels: what undoes a concatenation.
//
//     y[row, i] = x[row, offset + i]
//
// One thread four elements where channels come in fours, else one. Operations: 0 an element. Bytes: the range read once,
// y written once.
// Targets: compute_75
// Hot: slice_fwd_f32 slice_fwd_f16 slice_fwd_bf16

#include "map.cuh"

struct Params {
    u32 elements;
    // Extent of the range, and of x's last axis.
    u32 c;
    u32 c_in;
    // Where the range begins.
    u32 offset;
};

template <class T>
__device__ void slice_fwd(
    const Params &p,
    // x: [elements / c, c_in] T
    const T *x,
    // y: [elements / c, c] T
    T *y
) {
    bool fours = (p.c | p.c_in | p.offset) % 4 == 0;
    auto from = [&](u32 at) { return x + (u64)(at / p.c) * p.c_in + p.offset + at % p.c; };
    map::copy(p.elements, fours, [&](u32 at) { return y + at; }, from);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) slice_fwd_##SUFFIX(const Params p, const T *x, T *y) {           \
        slice_fwd(p, x, y);                                                                                            \
    }
EVERY_DTYPE(KERNEL)
