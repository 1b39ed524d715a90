// From the type that a precision stores values in to f32 (`keep_f32`), and back (`stored`), rounded to the nearest.
//
//     y = x
//
// One thread an element. Operations: 1 an element. Bytes: each value read once, written once.
// Targets: compute_75
// Hot: cast_keep_f32_f32 cast_keep_f32_f16 cast_keep_f32_bf16 cast_stored_f16 cast_stored_bf16

#include "common.cuh"

struct Params {
    u32 elements;
};

template <class X, class Y>
__device__ void cast(
    const Params &p,
    // x: [elements] X
    const X *x,
    // y: [elements] Y
    Y *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    store(y + at, load(x + at));
}

#define KERNEL(NAME, X, Y)                                                                                             \
    extern "C" __global__ void __launch_bounds__(256) NAME(const Params p, const X *x, Y *y) {                         \
        cast(p, x, y);                                                                                                 \
    }
KERNEL(cast_keep_f32_f32, float, float)
KERNEL(cast_keep_f32_f16, f16, float)
KERNEL(cast_keep_f32_bf16, bf16, float)
KERNEL(cast_stored_f16, float, f16)
KERNEL(cast_stored_bf16, float, bf16)
