// Fully connected layer.
//
//     y[row, o] = act(sum over k of x[row, k] * w[k, o] + b[o])
//
// 16 rows by 64 channels a block, 1 x 4 a thread: see igemm.cuh. k ascends: rows do not depend on one another.
// Operations: 2 * rows * c_out * k. Bytes: w read once per 16 rows, the rest once. Few rows: bound by w's bandwidth.
// Targets: compute_75
// Hot: dense_fwd_f32 dense_fwd_f16 dense_fwd_bf16

#include "epilogue.cuh"
#include "igemm.cuh"

struct Params {
    u32 rows;
    u32 k;
    u32 c_out;
    // Vectors of four in a row of w.
    u32 columns;
    // Bits: 1 bias, 2 relu, 4 prelu.
    u32 flags;
};

// One row of a matrix read along k by fours, zero past its end.
template <class T>
struct Row {
    // row: [total] T
    const T *row;
    u32 total;
    u32 k;

    __device__ __forceinline__ float4 fetch(u32) const {
        if (total % 4 == 0 && k < total) {
            return load4(row + k);
        }
        float values[4];
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            values[i] = k + i < total ? load(row + k + i) : 0.0f;
        }
        return make_float4(values[0], values[1], values[2], values[3]);
    }

    __device__ __forceinline__ void advance(u32 n) {
        k += n;
    }
};

template <class T>
__device__ void dense_fwd(
    const Params &p,
    // x: [rows, k] T
    const T *x,
    // w: [k, columns] four T: transposed, channels padded with zeros
    const T *w,
    // b: [c_out] f32
    const float *b,
    // alpha: [c_out] f32
    const float *alpha,
    // y: [rows, c_out] T
    T *y
) {
    constexpr u32 R = 1;
    __shared__ igemm::Shared<R> shared;
    u32 first = blockIdx.y * 16;
    u32 column = blockIdx.x * (igemm::COLUMNS / 4);
    Row<T> source{x + (u64)min(first + igemm::row_of(0), p.rows - 1) * p.k, p.k, igemm::first_k()};
    float sums[R][4];
    igemm::product<R>(shared, source, w, p.k, column, p.columns, sums);
    u32 row = first + threadIdx.x / 16;
    if (row < p.rows) {
        // There is no residual here, which the compiler is told.
        Epilogue<T> epilogue{p.flags & ~RESIDUAL, 1.0f, p.c_out, 0, p.c_out, b, alpha, nullptr, y};
        epilogue.write(sums[0], row, (column + threadIdx.x % 16) * 4);
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) dense_fwd_##SUFFIX(                                              \
        const Params p, const T *x, const T *__restrict__ w, const float *__restrict__ b,                              \
        const float *__restrict__ alpha, T *y                                                                          \
    ) {                                                                                                                \
        dense_fwd(p, x, w, b, alpha, y);                                                                               \
    }
EVERY_DTYPE(KERNEL)
