// The gradient of half the sum of squares.
//
//     dx = x dy
//
// One thread an element. Operations: 1 an element. Bytes: x read once, dx written once.
// Targets: compute_75
// Hot: l2_loss_bwd_f32

#include "common.cuh"

struct Params {
    u32 elements;
};

extern "C" __global__ void __launch_bounds__(256) l2_loss_bwd_f32(
    const Params p,
    // x: [elements] f32
    const float *x,
    // dy: [1] f32
    const float *dy,
    // dx: [elements] f32
    float *dx
) {
    u32 at;
    if (element(p.elements, at)) {
        dx[at] = x[at] * dy[0];
    }
}
