// FaceNet's triplet loss (Schroff et al. 2015, eq. 3).
//
//     y = mean over rows of max(|anchor - positive|^2 - |anchor - negative|^2 + margin, 0)
//
// One block; thread i takes rows i, i + 256, .., and the first thread adds the partial sums in order.
// Operations: 6 an element. Bytes: each input read once. Launch: 256 threads, [1].
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 rows;
    u32 d;
    float margin;
};

extern "C" __global__ void __launch_bounds__(256) triplet_loss_fwd_f32(
    const Params p,
    // anchor: [rows, d] f32
    const float *anchor,
    // positive: [rows, d] f32
    const float *positive,
    // negative: [rows, d] f32
    const float *negative,
    // y: [1] f32
    float *y
) {
    // partial: [256] f32
    __shared__ float partial[256];
    float sum = 0.0f;
    for (u32 row = threadIdx.x; row < p.rows; row += 256) {
        float near = 0.0f;
        float far = 0.0f;
        u64 base = (u64)row * p.d;
        for (u32 i = 0; i < p.d; i++) {
            float to_positive = anchor[base + i] - positive[base + i];
            float to_negative = anchor[base + i] - negative[base + i];
            near += to_positive * to_positive;
            far += to_negative * to_negative;
        }
        sum += fmaxf(near - far + p.margin, 0.0f);
    }
    partial[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        float all = 0.0f;
        for (u32 i = 0; i < 256; i++) {
            all += partial[i];
        }
        y[0] = all / (float)max(p.rows, 1);
    }
}
