// Gradient of batch normalization with respect to its input, through its statistics too.
//
//     dx = gamma / sqrt(variance + epsilon) * (dz - sums[0] / rows - xhat * sums[1] / rows)
//
// One thread an element; see batch_norm.cuh. Operations: 12 an element. Bytes: each input read once, dx written once.
// Launch: 256 threads, [ceil(elements / 256)].
// Targets: compute_75
// Hot: batch_norm_bwd_data_f32 batch_norm_bwd_data_f16 batch_norm_bwd_data_bf16

#include "batch_norm.cuh"

struct Params {
    u32 elements;
    u32 c;
    float epsilon;
    // Bits: 1 relu, 2 gamma.
    u32 flags;
};

template <class T>
__device__ void batch_norm_bwd_data(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // moments: [3, c] f32
    const float *moments,
    // beta: [c] f32
    const float *beta,
    // gamma: [c] f32
    const float *gamma,
    // sums: [2, c] f32
    const float *sums,
    // dy: [elements / c, c] T
    const T *dy,
    // dx: [elements / c, c] T
    T *dx
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    u32 c = at % p.c;
    float rows = (float)(p.elements / p.c);
    Layer layer(moments, beta, gamma, c, p.c, p.epsilon, p.flags);
    float value = load(x + at);
    float rest = layer.dz(value, load(dy + at)) - sums[c] / rows - layer.normalized(value) * (sums[p.c + c] / rows);
    store(dx + at, layer.gamma * layer.rate * rest);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) batch_norm_bwd_data_##SUFFIX(                                    \
        const Params p, const T *x, const float *__restrict__ moments, const float *__restrict__ beta,                 \
        const float *__restrict__ gamma, const float *__restrict__ sums, const T *dy, T *dx                            \
    ) {                                                                                                                \
        batch_norm_bwd_data(p, x, moments, beta, gamma, sums, dy, dx);                                                 \
    }
EVERY_DTYPE(KERNEL)
