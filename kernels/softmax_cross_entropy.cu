// Cross entropy of a softmax with labels.
//
//     y = log(sum(exp(x - max x))) + max x - x[label]; not a number where the label is no class
//
// One block a row, which may have 100,000 classes; thread i takes classes i, i + 256, .., and a tree of fixed
// shape joins what they find. Operations: 4 a class. Bytes: the logits read twice, the second time from the cache.
// Targets: compute_75
// Hot: softmax_cross_entropy_fwd_f32

#include "block.cuh"

struct Params {
    u32 rows;
    u32 c;
};

extern "C" __global__ void __launch_bounds__(256) softmax_cross_entropy_fwd_f32(
    const Params p,
    // logits: [rows, c] f32
    const float *logits,
    // labels: [rows] f32
    const float *labels,
    // y: [rows] f32
    float *y
) {
    u32 row = blockIdx.x;
    const float *x = logits + (u64)row * p.c;
    float largest = x[0];
    for (u32 i = threadIdx.x; i < p.c; i += 256) {
        largest = fmaxf(largest, x[i]);
    }
    largest = block_max(largest);
    float sum = 0.0f;
    for (u32 i = threadIdx.x; i < p.c; i += 256) {
        sum += expf(x[i] - largest);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        u64 label;
        bool is_class = row_of(labels[row], p.c, 1, label);
        y[row] = is_class ? logf(sum) + (largest - x[label]) : not_a_number();
    }
}
