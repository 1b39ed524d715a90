// Center loss (Wen et al. 2016).
//
//     y = mean over rows d of (features - centers[label])^2; not a number if a label is no class
//
// A partial sum of 4,096 elements a block, then one block adds them: trees of fixed shape.
// Operations: 3 an element. Bytes: the features and the centers that are named read once.
// Targets: compute_75
// Hot: center_loss_fwd_partial_f32 center_loss_fwd_total_f32

#include "block.cuh"

struct Params {
    u32 elements;
    u32 pieces;
    u32 d;
    u32 classes;
};

extern "C" __global__ void __launch_bounds__(256) center_loss_fwd_partial_f32(
    const Params p,
    // features: [elements / d, d] f32
    const float *features,
    // centers: [classes, d] f32
    const float *centers,
    // labels: [elements / d] f32
    const float *labels,
    // partial: [pieces] f32
    float *partial,
    // y: [1] f32
    float *y
) {
    float sum = partial_sum(p.elements, [=](u32 i) {
        u64 center;
        if (!row_of(labels[i / p.d], p.classes, p.d, center)) {
            return not_a_number();
        }
        float difference = features[i] - centers[center + i % p.d];
        return difference * difference;
    });
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(256) center_loss_fwd_total_f32(
    const Params p,
    // features: [elements / d, d] f32
    const float *features,
    // centers: [classes, d] f32
    const float *centers,
    // labels: [elements / d] f32
    const float *labels,
    // partial: [pieces] f32
    float *partial,
    // y: [1] f32
    float *y
) {
    float sum = total_sum(p.pieces, partial);
    if (threadIdx.x == 0) {
        y[0] = sum / (float)max(p.elements, 1);
    }
}
