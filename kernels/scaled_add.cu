// Scaled residual connection (Szegedy et al. 2016, section 3.3).
//
//     y = a + scale * b
//
// One thread an element. Operations: 2 an element. Bytes: each input read once, y written once.
// Launch: 256 threads, [ceil(elements / 256)].
// Targets: compute_75
// Hot: scaled_add_fwd_f32 scaled_add_fwd_f16 scaled_add_fwd_bf16

#include "common.cuh"

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
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    store(y + at, load(a + at) + p.scale * load(b + at));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        scaled_add_fwd_##SUFFIX(const Params p, const T *a, const T *b, T *y) {                                        \
        scaled_add_fwd(p, a, b, y);                                                                                    \
    }
EVERY_DTYPE(KERNEL)
