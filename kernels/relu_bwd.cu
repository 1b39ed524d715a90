// Gradient of the rectifier.
//
//     dx = dy where y > 0, else 0
//
// One thread four elements where they come in fours, else one. Operations: 1 an element. Bytes: each input read once, dx
// written once.
// Targets: compute_75
// Hot: relu_bwd_f32 relu_bwd_f16 relu_bwd_bf16

#include "map.cuh"

struct Params {
    u32 elements;
};

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
    map::elements(p.elements, dx, [](float y, float dy) { return y > 0.0f ? dy : 0.0f; }, y, dy);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        relu_bwd_##SUFFIX(const Params p, const T *y, const T *dy, T *dx) {                                            \
        relu_bwd(p, y, dy, dx);                                                                                        \
    }
EVERY_DTYPE(KERNEL)
