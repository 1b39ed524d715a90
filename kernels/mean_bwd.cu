// The gradient of the mean of all elements.
//
//     dx = dy / elements, each
//
// One thread an element. Bytes: dx written once.
// Targets: compute_75
// Hot: mean_bwd_f32

#include "common.cuh"

struct Params {
    u32 elements;
};

extern "C" __global__ void __launch_bounds__(256) mean_bwd_f32(
    const Params p,
    // dy: [1] f32
    const float *dy,
    // dx: [elements] f32
    float *dx
) {
    u32 at;
    if (element(p.elements, at)) {
        dx[at] = dy[0] / (float)p.elements;
    }
}
