// Distances between every row of one matrix and every row of another (`facenet.distance`).
//
//     y[i, j] = |a[i] - b[j]|^2, or acos(a[i] . b[j] / (|a[i]| |b[j]|)) / pi
//
// A block makes 16 x 16 distances, a thread one of them, from stages of 16 rows by 32 elements in shared memory; each is
// summed from its first element on. Operations: 3 d a pair. Bytes: each matrix read once for every 16 rows of the
// other, y written once.
// Targets: compute_75
// Hot: pairwise_distance_fwd_f32 pairwise_distance_fwd_f16 pairwise_distance_fwd_bf16

#include "common.cuh"

struct Params {
    u32 rows;
    // Rows of b, and elements of a row; `rows` counts the pairs.
    u32 m;
    u32 d;
    // 0 squared Euclidean, 1 cosine.
    u32 metric;
};

// Elements of a row in a stage, and of a row in shared memory: an odd number keeps rows in different banks.
#define DEPTH 32
#define STRIDE 33

// Load columns `base` to base + 32 of 16 rows from `first` on, zero past the matrix.
template <class T>
__device__ void load_stage(float *stage, const T *x, u32 first, u32 rows, u32 base, u32 d) {
    for (u32 i = threadIdx.x; i < 16 * DEPTH; i += 256) {
        u32 row = first + i / DEPTH;
        u32 column = base + i % DEPTH;
        bool inside = row < rows && column < d;
        stage[i / DEPTH * STRIDE + i % DEPTH] = inside ? load(x + (u64)row * d + column) : 0.0f;
    }
}

template <class T>
__device__ void pairwise_distance_fwd(
    const Params &p,
    // a: [rows / m, d] T
    const T *a,
    // b: [m, d] T
    const T *b,
    // y: [rows / m, m] T
    T *y
) {
    // stage_a, stage_b: [16 rows, 33] f32
    __shared__ float stage_a[16 * STRIDE];
    __shared__ float stage_b[16 * STRIDE];
    u32 n = p.rows / p.m;
    u32 first_a = blockIdx.y * 16;
    u32 first_b = blockIdx.x * 16;
    u32 i = threadIdx.x / 16;
    u32 j = threadIdx.x % 16;
    float distance = 0.0f;
    float dot = 0.0f;
    float square_a = 0.0f;
    float square_b = 0.0f;
    for (u32 base = 0; base < p.d; base += DEPTH) {
        __syncthreads();
        load_stage(stage_a, a, first_a, n, base, p.d);
        load_stage(stage_b, b, first_b, p.m, base, p.d);
        __syncthreads();
        // Zeros past the end of a row add nothing.
        for (u32 k = 0; k < DEPTH; k++) {
            float from_a = stage_a[i * STRIDE + k];
            float from_b = stage_b[j * STRIDE + k];
            if (p.metric == 0) {
                distance += (from_a - from_b) * (from_a - from_b);
            } else {
                dot += from_a * from_b;
                square_a += from_a * from_a;
                square_b += from_b * from_b;
            }
        }
    }
    if (p.metric != 0) {
        float similarity = dot / (sqrtf(square_a) * sqrtf(square_b));
        // Not a number stays so.
        float clamped = similarity > 1.0f ? 1.0f : similarity < -1.0f ? -1.0f : similarity;
        distance = acosf(clamped) / 3.14159265358979f;
    }
    if (first_a + i < n && first_b + j < p.m) {
        store(y + (u64)(first_a + i) * p.m + first_b + j, distance);
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        pairwise_distance_fwd_##SUFFIX(const Params p, const T *a, const T *b, T *y) {                                 \
        pairwise_distance_fwd(p, a, b, y);                                                                             \
    }
EVERY_DTYPE(KERNEL)
