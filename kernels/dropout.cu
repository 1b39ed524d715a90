// Dropout, with a mask that is a function of seed, stream, step and element.
//
//     y = x / keep where the element's number of [0, 1) is less than keep, else 0
//
// One thread four elements, which one call of Philox serves. Bytes: x read once, y written once.
// Targets: compute_75
// Hot: dropout_fwd_f32 dropout_fwd_f16 dropout_fwd_bf16

#include "common.cuh"
#include "philox.cuh"

struct Params {
    u32 elements;
    float keep;
    u32 seed_low;
    u32 seed_high;
    u32 purpose;
};

template <class T>
__device__ void dropout_fwd(
    const Params &p,
    // x: [elements] T
    const T *x,
    // step: [1] f32
    const float *step,
    // y: [elements] T
    T *y
) {
    u32 four = blockIdx.x * 256 + threadIdx.x;
    uint4 drawn = philox(p.seed_low, p.seed_high, four, (u32)step[0], p.purpose);
    const u32 words[4] = {drawn.x, drawn.y, drawn.z, drawn.w};
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        u64 at = 4 * (u64)four + i;
        if (at < p.elements) {
            bool kept = (float)(words[i] >> 8) * 0x1p-24f < p.keep;
            store(y + at, kept ? load(x + at) / p.keep : 0.0f);
        }
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        dropout_fwd_##SUFFIX(const Params p, const T *x, const float *step, T *y) {                                    \
        dropout_fwd(p, x, step, y);                                                                                    \
    }
EVERY_DTYPE(KERNEL)
