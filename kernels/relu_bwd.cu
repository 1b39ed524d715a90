// Gradient of the rectifier.
//
//     dx = dy where y > 0, else 0
//
// One thread four elements where they come in fours, else one. Operations: 1 an element. Bytes: each input read once, dx
// written once.
// Targets: compute_75
// Hot: relu_bwd_f32 relu_bwd_f16 relu_bwd_bf16

#include "common.cuh"

struct Params {
    u32 elements;
};

static __device__ __forceinline__ float through(float y, float dy) {
    return y > 0.0f ? dy : 0.0f;
}

template <class T>
__device__ void relu_bwd(
    const Params &p,
    // y: [elements] T
    const T *y,
    // dy: [elements] T
    const T *dy,
    // dx: [elements] T
    T *dx
) {
    u32 at;
    if (p.elements % 4 == 0) {
        if (four_elements(p.elements, at)) {
            float4 a = load4(y + at);
            float4 b = load4(dy + at);
            store4(dx + at, make_float4(through(a.x, b.x), through(a.y, b.y), through(a.z, b.z), through(a.w, b.w)));
        }
        return;
    }
    if (element(p.elements, at)) {
        store(dx + at, through(load(y + at), load(dy + at)));
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        relu_bwd_##SUFFIX(const Params p, const T *y, const T *dy, T *dx) {                                            \
        relu_bwd(p, y, dy, dx);                                                                                        \
    }
EVERY_DTYPE(KERNEL)
