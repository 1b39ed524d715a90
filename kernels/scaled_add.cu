// Scaled residual connection (Szegedy et al. 2016, section 3.3).
//
//     y = a + scale * b
//
// One thread four elements where they come in fours, else one. Operations: 2 an element. Bytes: each input read once, y
// written once.
// Targets: compute_75
// Hot: scaled_add_fwd_f32 scaled_add_fwd_f16 scaled_add_fwd_bf16

#include "map.cuh"

struct Params {
    u32 elements;
    float scale;
};

template <class T>
__device__ void scaled_add_fwd(
    const Params &p,
    // a: [elements] T
    const T *a,
    // b: [elements] T
    const T *b,
    // y: [elements] T
    T *y
) {
    map::elements(p.elements, y, [&](float a, float b) { return a + p.scale * b; }, a, b);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        scaled_add_fwd_##SUFFIX(const Params p, const T *a, const T *b, T *y) {                                        \
        scaled_add_fwd(p, a, b, y);                                                                                    \
    }
EVERY_DTYPE(KERNEL)
