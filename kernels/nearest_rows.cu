// The nearest rows of another matrix.
//
//     out[i] = the k rows j of y with the least |x[i] - y[j]|^2, where asked among those of another label: numbers, then
//              distances
//
// A block takes 64 rows of x and a stretch of y, 64 rows at a time; or, where x has few rows, 8 and 256. A thread makes
// 4 x 4 distances, or 8 x 1, each summed from its first element on, from stages of 16 elements in shared memory; then a
// warp for each row of x puts what is nearer than the row's farthest into its list, ascending, an entry or two a lane.
// A second kernel joins the stretches' lists, in order.
// Operations: 3 d a pair. Bytes: y read once for every 64 or 8 rows of x, from the cache where blocks run side by side.
// Targets: compute_75
// Hot: nearest_rows_fwd_f32 nearest_rows_fwd_few_f32 nearest_rows_fwd_join_f32

#include "block.cuh"

struct Params {
    u32 m;
    u32 n;
    u32 d;
    u32 k;
    u32 stretches;
    // Rows of y in a stretch, a multiple of 256.
    u32 stretch;
    // Whether rows with the label of x's row are passed over.
    u32 others;
    // How y is stored: 0 in f32, 1 in f16, 2 in int8.
    u32 storage;
    // Words of a row of y.
    u32 pitch;
};

#define DEPTH 16
#define ALL 0xffffffffu

// A row's list of at most 64, ascending: a lane holds the entries of its number and 32 above it. What lies past the k-th
// is no nearer.
struct List {
    float near[2];
    float numbers[2];
};

// The k-th entry's distance.
static __device__ __forceinline__ float farthest(const List &list, u32 k) {
    return k <= 32 ? __shfl_sync(ALL, list.near[0], k - 1) : __shfl_sync(ALL, list.near[1], k - 33);
}

// Moves entries from place `at` on one place up, and puts `value` there.
static __device__ __forceinline__ void put(float (&entries)[2], u32 lane, u32 at, float value) {
    float carried = __shfl_sync(ALL, entries[0], 31);
    float below[2] = {__shfl_up_sync(ALL, entries[0], 1), __shfl_up_sync(ALL, entries[1], 1)};
    below[1] = lane == 0 ? carried : below[1];
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
        u32 entry = lane + 32 * i;
        entries[i] = entry < at ? entries[i] : entry == at ? value : below[i];
    }
}

// Puts into the list what of 32 distances, a lane one, is nearer than the k-th; of equal ones the first stays first.
static __device__ __forceinline__ void offer(List &list, u32 k, u32 lane, float distance, float number) {
    float last = farthest(list, k);
    u32 nearer = __ballot_sync(ALL, distance < last);
    while (nearer != 0) {
        u32 from = __ffs(nearer) - 1;
        nearer &= nearer - 1;
        float next = __shfl_sync(ALL, distance, from);
        float its_number = __shfl_sync(ALL, number, from);
        if (next < last) {
            u32 at = __popc(__ballot_sync(ALL, list.near[0] <= next)) + __popc(__ballot_sync(ALL, list.near[1] <= next));
            put(list.near, lane, at, next);
            put(list.numbers, lane, at, its_number);
            last = farthest(list, k);
        }
    }
}

// Four neighbouring elements of a row of d, from a multiple of four on; zero past its end.
static __device__ __forceinline__ float4 four(const float *row, u32 column, u32 d) {
    if (d % 4 == 0) {
        return column < d ? load4(row + column) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    float values[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        values[i] = column + i < d ? row[column + i] : 0.0f;
    }
    return make_float4(values[0], values[1], values[2], values[3]);
}

static __device__ __forceinline__ float byte_of(u32 word, u32 at) {
    return (float)((int)(word << (24 - 8 * at)) >> 24);
}

// The same of a row of y as it is stored.
static __device__ __forceinline__ float4 four_stored(const u32 *row, u32 storage, u32 column, u32 d) {
    if (storage == 0) {
        return four((const float *)row, column, d);
    }
    if (column >= d) {
        return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    if (storage == 1) {
        return load4((const f16 *)row + column);
    }
    float scale = __uint_as_float(row[0]);
    u32 word = row[1 + column / 4];
    return make_float4(
        scale * byte_of(word, 0), scale * byte_of(word, 1), scale * byte_of(word, 2), scale * byte_of(word, 3)
    );
}

// Load elements of ROWS rows, an element's rows side by side, from what gives four neighbours of a row.
template <u32 ROWS, class Four>
static __device__ __forceinline__ void load_stage(float *stage, u32 first, u32 rows, u32 base, Four four_of) {
#pragma unroll
    for (u32 i = threadIdx.x; i < ROWS * DEPTH / 4; i += 256) {
        u32 row = i / (DEPTH / 4);
        u32 column = i % (DEPTH / 4) * 4;
        float4 values = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (first + row < rows) {
            values = four_of(first + row, base + column);
        }
        float *to = stage + column * (ROWS + 4) + row;
        to[0] = values.x;
        to[ROWS + 4] = values.y;
        to[2 * (ROWS + 4)] = values.z;
        to[3 * (ROWS + 4)] = values.w;
    }
}

// Neighbours in shared memory: one, or a multiple of four.
static __device__ __forceinline__ void read(float (&values)[1], const float *from) {
    values[0] = *from;
}

template <u32 N>
static __device__ __forceinline__ void read(float (&values)[N], const float *from) {
#pragma unroll
    for (u32 i = 0; i < N / 4; i++) {
        *(float4 *)(values + 4 * i) = load4(from + 4 * i);
    }
}

// A tile of ROWS rows of x and COLUMNS of y, of which a thread has X by Y.
template <u32 ROWS, u32 COLUMNS, u32 X, u32 Y>
static __device__ __forceinline__ void nearest(
    const Params &p, const float *x, const float *labels_x, const u32 *y, const float *labels_y, float *lists
) {
    static_assert(ROWS / X * (COLUMNS / Y) == 256, "a thread for each part of the tile");
    // Elements between rows in shared memory: four at once, and rows in different banks.
    constexpr u32 STAGES = DEPTH * (ROWS + 4 + COLUMNS + 4);
    constexpr u32 DISTANCES = ROWS * (COLUMNS + 1);
    // memory: stage_x and stage_y, [16 elements, rows] f32; then distances, [rows of x, rows of y + 1] f32
    __shared__ __align__(16) float memory[STAGES > DISTANCES ? STAGES : DISTANCES];
    float *stage_x = memory;
    float *stage_y = memory + DEPTH * (ROWS + 4);
    // kept: [rows of x, 2 k] f32: distances, then numbers. An entry is always the same thread's.
    extern __shared__ float kept[];
    u32 lane = threadIdx.x % 32;
    u32 warp = threadIdx.x / 32;
    u32 first = blockIdx.x * ROWS;
    u32 row = threadIdx.x / (COLUMNS / Y) * X;
    u32 column = threadIdx.x % (COLUMNS / Y) * Y;
    for (u32 i = warp; i < ROWS; i += 8) {
        for (u32 entry = lane; entry < p.k; entry += 32) {
            kept[i * 2 * p.k + entry] = infinity();
            kept[i * 2 * p.k + p.k + entry] = -1.0f;
        }
    }
    u32 from = blockIdx.y * p.stretch;
    u32 end = min(p.n - min(p.n, from), p.stretch) + from;
    for (u32 at = from; at < end; at += COLUMNS) {
        float sums[X][Y] = {};
        for (u32 base = 0; base < p.d; base += DEPTH) {
            __syncthreads();
            load_stage<ROWS>(stage_x, first, p.m, base, [&](u32 i, u32 j) { return four(x + (u64)i * p.d, j, p.d); });
            load_stage<COLUMNS>(stage_y, at, p.n, base, [&](u32 i, u32 j) {
                return four_stored(y + (u64)i * p.pitch, p.storage, j, p.d);
            });
            __syncthreads();
            // Zeros past the end of a row add nothing. Unrolled as a whole, the compiler's text is not always the same.
#pragma unroll 4
            for (u32 k = 0; k < DEPTH; k++) {
                float of_x[X], of_y[Y];
                read(of_x, stage_x + k * (ROWS + 4) + row);
                read(of_y, stage_y + k * (COLUMNS + 4) + column);
#pragma unroll
                for (u32 i = 0; i < X; i++) {
#pragma unroll
                    for (u32 j = 0; j < Y; j++) {
                        float difference = of_x[i] - of_y[j];
                        sums[i][j] += difference * difference;
                    }
                }
            }
        }
        __syncthreads();
#pragma unroll
        for (u32 i = 0; i < X; i++) {
#pragma unroll
            for (u32 j = 0; j < Y; j++) {
                memory[(row + i) * (COLUMNS + 1) + column + j] = sums[i][j];
            }
        }
        __syncthreads();
        u32 count = min(end - at, COLUMNS);
        for (u32 i = warp; i < ROWS && first + i < p.m; i += 8) {
            float *entries = kept + i * 2 * p.k;
            List list;
#pragma unroll
            for (u32 half = 0; half < 2; half++) {
                u32 entry = lane + 32 * half;
                list.near[half] = entry < p.k ? entries[entry] : infinity();
                list.numbers[half] = entry < p.k ? entries[p.k + entry] : -1.0f;
            }
#pragma unroll 1
            for (u32 j = lane; j < COLUMNS; j += 32) {
                bool is_near = j < count && (p.others == 0 || labels_y[at + j] != labels_x[first + i]);
                float distance = is_near ? memory[i * (COLUMNS + 1) + j] : infinity();
                offer(list, p.k, lane, distance, (float)(at + j));
            }
#pragma unroll
            for (u32 half = 0; half < 2; half++) {
                u32 entry = lane + 32 * half;
                if (entry < p.k) {
                    entries[entry] = list.near[half];
                    entries[p.k + entry] = list.numbers[half];
                }
            }
        }
        // The distances are overwritten only after the next stages' barriers.
    }
    for (u32 i = warp; i < ROWS && first + i < p.m; i += 8) {
        float *list = lists + ((u64)blockIdx.y * p.m + first + i) * 2 * p.k;
        for (u32 entry = lane; entry < p.k; entry += 32) {
            list[entry] = kept[i * 2 * p.k + p.k + entry];
            list[p.k + entry] = kept[i * 2 * p.k + entry];
        }
    }
}

#define NEAREST(NAME, ...)                                                                                             \
    extern "C" __global__ void __launch_bounds__(256) NAME(                                                            \
        const Params p, const float *x, const float *labels_x, const u32 *y, const float *labels_y, float *lists,      \
        float *out                                                                                                     \
    ) {                                                                                                                \
        nearest<__VA_ARGS__>(p, x, labels_x, y, labels_y, lists);                                                      \
    }
NEAREST(nearest_rows_fwd_f32, 64, 64, 4, 4)
NEAREST(nearest_rows_fwd_few_f32, 8, 256, 8, 1)

extern "C" __global__ void __launch_bounds__(256) nearest_rows_fwd_join_f32(
    const Params p,
    // x: [m, d] f32
    const float *x,
    // labels_x: [m] f32
    const float *labels_x,
    // y: [n, pitch] words: f32; or two f16 in each; or the scale as f32, then four int8 in each
    const u32 *y,
    // labels_y: [n] f32
    const float *labels_y,
    // lists: [stretches, m, 2 k] f32
    float *lists,
    // out: [m, 2 k] f32
    float *out
) {
    u32 row, lane;
    if (!warp_row(p.m, row, lane)) {
        return;
    }
    List list = {{infinity(), infinity()}, {-1.0f, -1.0f}};
    u32 count = p.stretches * p.k;
#pragma unroll 1
    for (u32 i = 0; i < count; i += 32) {
        u32 at = i + lane;
        const float *from = lists + ((u64)(at / p.k) * p.m + row) * 2 * p.k + at % p.k;
        float distance = at < count ? from[p.k] : infinity();
        float number = at < count ? from[0] : -1.0f;
        offer(list, p.k, lane, distance, number);
    }
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 entry = lane + 32 * half;
        if (entry < p.k) {
            out[(u64)row * 2 * p.k + entry] = list.numbers[half];
            out[(u64)row * 2 * p.k + p.k + entry] = list.near[half];
        }
    }
}
