// Pixels to network input.
//
//     y = (x - mean) / deviation, of given numbers, or
//     prewhiten: of each image's own mean and max(std, 1 / sqrt(count))
//
// One block an image; thread i takes elements i, i + 256, ..; partial sums are added pairwise, always in one order.
// Operations: 2 an element, prewhiten 6. Bytes: x read once (prewhiten three times), y written once.
// Targets: compute_75
// Hot: standardize_fwd_f32 standardize_fwd_f16 standardize_fwd_bf16

#include "common.cuh"

struct Params {
    u32 images;
    // Elements of an image.
    u32 count;
    // 1: the two that follow are each image's own.
    u32 prewhiten;
    float mean;
    float deviation;
};

// The sum of every thread's value.
static __device__ float total(float value, float *partial) {
    __syncthreads();
    partial[threadIdx.x] = value;
    for (u32 half = 128; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            partial[threadIdx.x] += partial[threadIdx.x + half];
        }
    }
    __syncthreads();
    return partial[0];
}

template <class T>
__device__ void standardize_fwd(
    const Params &p,
    // x: [images, count] T
    const T *x,
    // y: [images, count] T
    T *y
) {
    // partial: [256] f32
    __shared__ float partial[256];
    u64 base = (u64)blockIdx.x * p.count;
    float mean = p.mean;
    float deviation = p.deviation;
    if (p.prewhiten == 1) {
        float sum = 0.0f;
        for (u32 i = threadIdx.x; i < p.count; i += 256) {
            sum += load(x + base + i);
        }
        mean = total(sum, partial) / (float)p.count;
        float square = 0.0f;
        for (u32 i = threadIdx.x; i < p.count; i += 256) {
            float difference = load(x + base + i) - mean;
            square += difference * difference;
        }
        float variance = total(square, partial) / (float)p.count;
        deviation = fmaxf(sqrtf(variance), 1.0f / sqrtf((float)p.count));
    }
    for (u32 i = threadIdx.x; i < p.count; i += 256) {
        store(y + base + i, (load(x + base + i) - mean) / deviation);
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) standardize_fwd_##SUFFIX(const Params p, const T *x, T *y) {     \
        standardize_fwd(p, x, y);                                                                                      \
    }
EVERY_DTYPE(KERNEL)
