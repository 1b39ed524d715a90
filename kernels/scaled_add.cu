// Scaled residual connection (Szegedy et al. 2016, section 3.3).
//
//     y = a + scale * b
//
// One thread four elements where they come in fours, else one. Operations: 2 an element. Bytes: each input read once, y
// written once.
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
    if (p.elements % 4 == 0) {
        if (four_elements(p.elements, at)) {
            float4 one = load4(a + at);
            float4 other = load4(b + at);
            store4(
                y + at, make_float4(
                            one.x + p.scale * other.x, one.y + p.scale * other.y, one.z + p.scale * other.z,
                            one.w + p.scale * other.w
                        )
            );
        }
        return;
    }
    if (element(p.elements, at)) {
        store(y + at, load(a + at) + p.scale * load(b + at));
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        scaled_add_fwd_##SUFFIX(const Params p, const T *a, const T *b, T *y) {                                        \
        scaled_add_fwd(p, a, b, y);                                                                                    \
    }
EVERY_DTYPE(KERNEL)
