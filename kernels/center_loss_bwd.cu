// The gradient of center loss.
//
//     dx = 2 dy / elements (features - centers[label]); not a number where the label is no class
//
// One thread an element. Operations: 2 an element. Bytes: the features and the centers that are named read once, dx
// written once.
// Targets: compute_75
// Hot: center_loss_bwd_f32

#include "block.cuh"

struct Params {
    u32 elements;
    u32 d;
    u32 classes;
};

extern "C" __global__ void __launch_bounds__(256) center_loss_bwd_f32(
    const Params p,
    // features: [elements / d, d] f32
    const float *features,
    // centers: [classes, d] f32
    const float *centers,
    // labels: [elements / d] f32
    const float *labels,
    // dy: [1] f32
    const float *dy,
    // dx: [elements / d, d] f32
    float *dx
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u64 center;
    bool is_class = row_of(labels[at / p.d], p.classes, p.d, center);
    float factor = 2.0f * dy[0] / (float)p.elements;
    dx[at] = is_class ? factor * (features[at] - centers[center + at % p.d]) : not_a_number();
}
