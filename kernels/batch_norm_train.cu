// Batch normalization with the batch's own statistics (Ioffe & Szegedy 2015), its rectifier fused.
//
//     y = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta)
//
// See batch_norm.cuh. Operations: 6 an element. Bytes: each input read once, y written once.
// Targets: compute_75
// Hot: batch_norm_train_f32 batch_norm_train_f16 batch_norm_train_bf16

#include "batch_norm.cuh"

struct Params {
    u32 elements;
    u32 c;
    float epsilon;
    // Bits: 1 relu, 2 gamma.
    u32 flags;
    u32 y_offset;
    u32 y_stride;
};

template <class T>
__device__ void batch_norm_train(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // moments: [3, c] f32
    const float *moments,
    // beta: [c] f32
    const float *beta,
    // gamma: [c] f32
    const float *gamma,
    // y: [elements / c, c] T, rows y_stride apart
    T *y
) {
    if ((p.c | p.y_offset | p.y_stride) % 4 == 0) {
        u32 c, row, rows;
        if (!patch(p.elements, p.c, c, row, rows)) {
            return;
        }
        const Layer layers[4] = {
            {moments, beta, gamma, c, p.c, p.epsilon, p.flags},
            {moments, beta, gamma, c + 1, p.c, p.epsilon, p.flags},
            {moments, beta, gamma, c + 2, p.c, p.epsilon, p.flags},
            {moments, beta, gamma, c + 3, p.c, p.epsilon, p.flags},
        };
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            if (row + i < rows) {
                float4 four = load4(x + (u64)(row + i) * p.c + c);
                store4(
                    y + p.y_offset + (u64)(row + i) * p.y_stride + c,
                    make_float4(layers[0].y(four.x), layers[1].y(four.y), layers[2].y(four.z), layers[3].y(four.w))
                );
            }
        }
        return;
    }
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u32 c = at % p.c;
    Layer layer(moments, beta, gamma, c, p.c, p.epsilon, p.flags);
    store(y + p.y_offset + (u64)(at / p.c) * p.y_stride + c, layer.y(load(x + at)));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) batch_norm_train_##SUFFIX(                                       \
        const Params p, const T *x, const float *__restrict__ moments, const float *__restrict__ beta,                 \
        const float *__restrict__ gamma, T *y                                                                          \
    ) {                                                                                                                \
        batch_norm_train(p, x, moments, beta, gamma, y);                                                               \
    }
EVERY_DTYPE(KERNEL)
