// Local response normalization over channels (Krizhevsky et al. 2012).
//
//     y[i] = x[i] * d[i]^-beta, d = bias + alpha * sum of x[j]^2 over the channels j at most `radius` away
//
// One thread an element. Operations: 2 * (2 * radius + 1) + 3 an element. Bytes: x read once (through the cache), y written
// once.
// Targets: compute_75
// Hot: lrn_fwd_f32 lrn_fwd_f16 lrn_fwd_bf16

#include "lrn.cuh"

template <class T>
__device__ void lrn_fwd(
    const Params &p,
    // x: [elements / c, c] T
    const T *x,
    // y: [elements / c, c] T
    T *y
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    store(y + at, load(x + at) * factor(divisor(p, Window(p, at), x), p.beta));
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) lrn_fwd_##SUFFIX(const Params p, const T *x, T *y) {             \
        lrn_fwd(p, x, y);                                                                                              \
    }
EVERY_DTYPE(KERNEL)
