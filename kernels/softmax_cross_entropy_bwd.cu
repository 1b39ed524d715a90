// The gradient of the cross entropy of a softmax with labels.
//
//     dx = (exp(x - max x) / sum(exp(x - max x)) - [class is label]) dy; not a number where the label is no class
//
// One block a row, which may have 100,000 classes; thread i takes classes i, i + 256, .., and a tree of fixed
// shape joins what they find. Operations: 5 a class. Bytes: the logits read three times, two of them from the cache,
// dx written once.
// Targets: compute_75
// Hot: softmax_cross_entropy_bwd_f32

#include "block.cuh"

struct Params {
    u32 rows;
    u32 c;
};

extern "C" __global__ void __launch_bounds__(256) softmax_cross_entropy_bwd_f32(
    const Params p,
    // logits: [rows, c] f32
    const float *logits,
    // labels: [rows] f32
    const float *labels,
    // dy: [rows] f32
    const float *dy,
    // dx: [rows, c] f32
    float *dx
) {
    u32 row = blockIdx.x;
    u64 base = (u64)row * p.c;
    const float *x = logits + base;
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
    u64 label;
    float factor = row_of(labels[row], p.c, 1, label) ? dy[row] : not_a_number();
    for (u32 i = threadIdx.x; i < p.c; i += 256) {
        float hot = i == label ? 1.0f : 0.0f;
        dx[base + i] = (expf(x[i] - largest) / sum - hot) * factor;
    }
}
