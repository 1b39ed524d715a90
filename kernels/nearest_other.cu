// The nearest rows of other people.
//
//     out[i] = the k rows j of y with the least |x[i] - y[j]|^2 among those of another label: numbers, then distances
//
// A block takes 64 rows of x and a stretch of y, 64 rows at a time. A thread makes 4 x 4 distances, each summed from its
// first element on, from stages of 16 elements in shared memory; then one thread for each row of x puts what is nearer
// than the row's farthest into its list, ascending. A second kernel joins the stretches' lists, in order.
// Operations: 3 d a pair. Bytes: y read once for every 64 rows of x, from the cache where blocks run side by side.
// Targets: compute_75
// Hot: nearest_other_fwd_f32 nearest_other_fwd_join_f32

#include "block.cuh"

struct Params {
    u32 m;
    u32 n;
    u32 d;
    u32 k;
    u32 stretches;
    // Rows of y in a stretch, a multiple of 64.
    u32 stretch;
};

#define TILE 64
#define DEPTH 16
// Elements between rows in shared memory: four at once, and rows in different banks.
#define STRIDE 68
#define MOST 16

// Puts a distance into an ascending list of k where it is nearer than the last; of equal ones the first stays first.
static __device__ __forceinline__ void insert(float *near, float *numbers, u32 k, float distance, float number) {
    if (!(distance < near[k - 1])) {
        return;
    }
    u32 at = k - 1;
    for (; at > 0 && near[at - 1] > distance; at--) {
        near[at] = near[at - 1];
        numbers[at] = numbers[at - 1];
    }
    near[at] = distance;
    numbers[at] = number;
}

// Load elements `base` to base + 16 of 64 rows from `first` on, an element's rows side by side; zero past the matrix.
static __device__ __forceinline__ void
load_stage(float (&stage)[DEPTH * STRIDE], const float *x, u32 first, u32 rows, u32 base, u32 d) {
#pragma unroll
    for (u32 i = threadIdx.x; i < TILE * DEPTH; i += 256) {
        u32 row = first + i / DEPTH;
        u32 column = base + i % DEPTH;
        bool inside = row < rows && column < d;
        stage[i % DEPTH * STRIDE + i / DEPTH] = inside ? x[(u64)row * d + column] : 0.0f;
    }
}

extern "C" __global__ void __launch_bounds__(256) nearest_other_fwd_f32(
    const Params p,
    // x: [m, d] f32
    const float *x,
    // labels_x: [m] f32
    const float *labels_x,
    // y: [n, d] f32
    const float *y,
    // labels_y: [n] f32
    const float *labels_y,
    // lists: [stretches, m, 2 k] f32
    float *lists,
    // out: [m, 2 k] f32
    float *out
) {
    // stage_x, stage_y: [16 elements, 68 rows] f32
    __shared__ __align__(16) float stage_x[DEPTH * STRIDE];
    __shared__ __align__(16) float stage_y[DEPTH * STRIDE];
    // distances: [64 rows of x, 65] f32
    __shared__ float distances[TILE * (TILE + 1)];
    // near, numbers: [64 rows of x, 17] f32
    __shared__ float near[TILE * (MOST + 1)];
    __shared__ float numbers[TILE * (MOST + 1)];
    u32 first = blockIdx.x * TILE;
    u32 row = threadIdx.x / 16 * 4;
    u32 column = threadIdx.x % 16 * 4;
    float *own_near = near + threadIdx.x * (MOST + 1);
    float *own_numbers = numbers + threadIdx.x * (MOST + 1);
    bool lists_row = threadIdx.x < TILE && first + threadIdx.x < p.m;
    float label = lists_row ? labels_x[first + threadIdx.x] : 0.0f;
    if (lists_row) {
        for (u32 i = 0; i < p.k; i++) {
            own_near[i] = infinity();
            own_numbers[i] = -1.0f;
        }
    }
    u32 from = blockIdx.y * p.stretch;
    u32 end = min(p.n - min(p.n, from), p.stretch) + from;
    for (u32 at = from; at < end; at += TILE) {
        float sums[4][4] = {};
        for (u32 base = 0; base < p.d; base += DEPTH) {
            __syncthreads();
            load_stage(stage_x, x, first, p.m, base, p.d);
            load_stage(stage_y, y, at, p.n, base, p.d);
            __syncthreads();
            // Zeros past the end of a row add nothing. Unrolled as a whole, the compiler's text is not always the same.
#pragma unroll 4
            for (u32 k = 0; k < DEPTH; k++) {
                float4 four_x = *(const float4 *)(stage_x + k * STRIDE + row);
                float4 four_y = *(const float4 *)(stage_y + k * STRIDE + column);
                const float of_x[4] = {four_x.x, four_x.y, four_x.z, four_x.w};
                const float of_y[4] = {four_y.x, four_y.y, four_y.z, four_y.w};
#pragma unroll
                for (u32 i = 0; i < 4; i++) {
#pragma unroll
                    for (u32 j = 0; j < 4; j++) {
                        float difference = of_x[i] - of_y[j];
                        sums[i][j] += difference * difference;
                    }
                }
            }
        }
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
#pragma unroll
            for (u32 j = 0; j < 4; j++) {
                distances[(row + i) * (TILE + 1) + column + j] = sums[i][j];
            }
        }
        __syncthreads();
        if (lists_row) {
            u32 count = min(end - at, TILE);
            for (u32 j = 0; j < count; j++) {
                float distance = distances[threadIdx.x * (TILE + 1) + j];
                if (distance < own_near[p.k - 1] && labels_y[at + j] != label) {
                    insert(own_near, own_numbers, p.k, distance, (float)(at + j));
                }
            }
        }
        // The distances are overwritten only after the next stages' barriers.
    }
    if (lists_row) {
        float *list = lists + ((u64)blockIdx.y * p.m + first + threadIdx.x) * 2 * p.k;
        for (u32 i = 0; i < p.k; i++) {
            list[i] = own_numbers[i];
            list[p.k + i] = own_near[i];
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) nearest_other_fwd_join_f32(
    const Params p,
    // x: [m, d] f32
    const float *x,
    // labels_x: [m] f32
    const float *labels_x,
    // y: [n, d] f32
    const float *y,
    // labels_y: [n] f32
    const float *labels_y,
    // lists: [stretches, m, 2 k] f32
    float *lists,
    // out: [m, 2 k] f32
    float *out
) {
    u32 row;
    if (!element(p.m, row)) {
        return;
    }
    // The result itself is the list that the stretches' go into.
    float *numbers = out + (u64)row * 2 * p.k;
    float *near = numbers + p.k;
    for (u32 i = 0; i < p.k; i++) {
        near[i] = infinity();
        numbers[i] = -1.0f;
    }
    for (u32 stretch = 0; stretch < p.stretches; stretch++) {
        const float *list = lists + ((u64)stretch * p.m + row) * 2 * p.k;
        // The list ascends: after one that is too far all are. Unrolled, divergent copies of the insertion spill.
#pragma unroll 1
        for (u32 i = 0; i < p.k && list[p.k + i] < near[p.k - 1]; i++) {
            insert(near, numbers, p.k, list[p.k + i], list[i]);
        }
    }
}
