// Gradient of local response normalization over channels.
//
//     share[j] = dy[j] * x[j] * d[j]^(-beta - 1), d = bias + alpha * sum of x^2 over the window
//     dx[i] = dy[i] * d[i]^-beta - 2 * alpha * beta * x[i] * sum over the window of share[j]
//
// One thread an element in either pass, so that an element's power is taken twice and not once for each of its neighbours.
// Operations: 3 * (2 * radius + 1) + 9 an element. Bytes: x and dy read twice (through the cache), the shares written and
// read, dx written once.
// Targets: compute_75
// Hot: lrn_bwd_shares_f32 lrn_bwd_shares_f16 lrn_bwd_shares_bf16 lrn_bwd_sums_f32 lrn_bwd_sums_f16 lrn_bwd_sums_bf16

#include "lrn.cuh"

template <class T>
__device__ void lrn_bwd_shares(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // dy: [elements / c, c] T
    const T *dy,
    // share: [elements / c, c] f32
    float *share
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    float d = divisor(p, Window(p, at), x);
    share[at] = load(dy + at) * factor(d, p.beta) * load(x + at) / d;
}

template <class T>
__device__ void lrn_bwd_sums(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // dy: [elements / c, c] T
    const T *dy,
    // share: [elements / c, c] f32
    const float *share,
    // dx: [elements / c, c] T
    T *dx
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    Window window(p, at);
    float sum = 0.0f;
    for (u32 j = window.first; j < window.end; j++) {
        sum += share[j];
    }
    float scaled = load(dy + at) * factor(divisor(p, window, x), p.beta);
    store(dx + at, scaled - 2.0f * p.alpha * p.beta * load(x + at) * sum);
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        lrn_bwd_shares_##SUFFIX(const Params p, const T *x, const T *dy, float *share, T *) {                          \
        lrn_bwd_shares(p, x, dy, share);                                                                               \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        lrn_bwd_sums_##SUFFIX(const Params p, const T *x, const T *dy, const float *share, T *dx) {                    \
        lrn_bwd_sums(p, x, dy, share, dx);                                                                             \
    }
EVERY_DTYPE(KERNEL)
