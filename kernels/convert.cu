// Values from one storage type to another, rounded to the nearest.
//
//     y = x
//
// One thread four elements. Operations: 1 an element. Bytes: x read once, y written once.
// Targets: compute_75
// Hot: convert_f32_f16 convert_f16_f32 convert_f32_bf16 convert_bf16_f32

#include "common.cuh"

struct Params {
    u32 elements;
};

template <class X, class Y>
__device__ void convert(
    const Params &p,
    // x: [elements] X
    const X *x,
    // y: [elements] Y
    Y *y
) {
    u64 first = ((u64)blockIdx.x * 256 + threadIdx.x) * 4;
    if (first + 4 <= p.elements) {
        store4(y + first, load4(x + first));
        return;
    }
    for (u64 at = first; at < p.elements; at++) {
        store(y + at, load(x + at));
    }
}

#define KERNEL(X, FROM, Y, TO)                                                                                         \
    extern "C" __global__ void __launch_bounds__(256) convert_##FROM##_##TO(const Params p, const X *x, Y *y) {        \
        convert(p, x, y);                                                                                              \
    }
KERNEL(float, f32, f16, f16)
KERNEL(f16, f16, float, f32)
KERNEL(float, f32, bf16, bf16)
KERNEL(bf16, bf16, float, f32)
