// Gradient of a locally connected layer with respect to its bias.
//
//     db[i] = sum over images of dy[image, i]
//
// One thread an element of the bias. Operations: n an element. Bytes: dy read once.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 n;
    // h_out * w_out * c_out.
    u32 elements;
};

template <class T>
__device__ void local_conv2d_bwd_bias(
    const Params &p,
    // dy: [n, elements] T
    const T *dy,
    // db: [elements] f32
    float *db
) {
    u32 at;
    if (!element(p.elements, at)) {
        return;
    }
    float sum = 0.0f;
    for (u32 image = 0; image < p.n; image++) {
        sum += load(dy + (u64)image * p.elements + at);
    }
    db[at] = sum;
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        local_conv2d_bwd_bias_##SUFFIX(const Params p, const T *dy, float *db) {                                       \
        local_conv2d_bwd_bias(p, dy, db);                                                                              \
    }
EVERY_DTYPE(KERNEL)
