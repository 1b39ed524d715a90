// Which rows are classified as their labels say.
//
//     y = 1 where x[i] < x[label] for the i before the label and x[i] <= x[label] for the others, else 0
//
// One block a row, which may have 100,000 classes; thread i takes classes i, i + 256, ...
// Bytes: the logits read once.
// Targets: compute_75
// Hot: accuracy_fwd_f32

#include "block.cuh"

struct Params {
    u32 rows;
    u32 c;
};

extern "C" __global__ void __launch_bounds__(256) accuracy_fwd_f32(
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
    u64 label;
    bool is_class = row_of(labels[row], p.c, 1, label);
    float own = x[label];
    // 1 where a class contradicts; a logit that is not a number does.
    float wrong = is_class ? 0.0f : 1.0f;
    for (u32 i = threadIdx.x; i < p.c; i += 256) {
        bool right = i < label ? x[i] < own : x[i] <= own;
        wrong = right ? wrong : 1.0f;
    }
    wrong = block_max(wrong);
    if (threadIdx.x == 0) {
        y[row] = 1.0f - wrong;
    }
}
