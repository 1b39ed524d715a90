// Gradient of the rectifier.
//
//     dx = dy where y > 0, else 0
//
// One thread an element. Operations: 1 an element. Bytes: each input read once, dx written once.
// Launch: 256 threads, [ceil(elements / 256)].
// Targets: compute_75
// Hot: relu_bwd_f32 relu_bwd_f16 relu_bwd_bf16

#include "common.cuh"

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
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    store(dx + at, load(y + at) > 0.0f ? load(dy + at) : 0.0f);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        relu_bwd_##SUFFIX(const Params p, const T *y, const T *dy, T *dx) {                                            \
        relu_bwd(p, y, dy, dx);                                                                                        \
    }
EVERY_DTYPE(KERNEL)
