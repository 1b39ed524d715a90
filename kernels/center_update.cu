// Centers of classes following their features, in place.
//
//     centers[l] -= (1 - alfa) sum of (centers[l] - features[i]) over the i with label l
//
// Nothing if `finite` is 0. One block a row of the features. The first row with a label moves its center, and adds up all rows with that label, in
// order; the blocks of the others have nothing to do, so each center is written once.
// Operations: 2 an element. Bytes: the features read once, the centers that are named read and written once; the labels
// by each block, from the cache.
// Targets: compute_75
// Hot: center_update_fwd_f32

#include "block.cuh"

struct Params {
    u32 rows;
    u32 d;
    u32 classes;
    float alfa;
};

extern "C" __global__ void __launch_bounds__(256) center_update_fwd_f32(
    const Params p,
    // features: [rows, d] f32
    const float *features,
    // labels: [rows] f32
    const float *labels,
    // finite: [1] f32
    const float *finite,
    // centers: [classes, d] f32
    float *centers
) {
    if (finite[0] == 0.0f) {
        return;
    }
    u32 row = blockIdx.x;
    float label = labels[row];
    float earlier = 0.0f;
    for (u32 i = threadIdx.x; i < row; i += 256) {
        earlier = labels[i] == label ? 1.0f : earlier;
    }
    earlier = block_max(earlier);
    u64 center;
    if (!row_of(label, p.classes, p.d, center) || earlier != 0.0f) {
        return;
    }
    for (u32 column = threadIdx.x; column < p.d; column += 256) {
        float old = centers[center + column];
        float sum = 0.0f;
        for (u32 i = row; i < p.rows; i++) {
            if (labels[i] == label) {
                sum += old - features[(u64)i * p.d + column];
            }
        }
        centers[center + column] = old - (1.0f - p.alfa) * sum;
    }
}
