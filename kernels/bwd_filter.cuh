// The matrix product under the gradients of filters: of dy, transposed, and the windows of x, over output pixels.
//
//     partial[chunk, o, k] = sum over the chunk's pixels of dy[pixel, o] * x[element k of the pixel's window]
//
// Pixels are cut into chunks so that there are blocks enough; their length is chosen by the extents alone, and a second
// kernel adds the chunks' sums in order: two runs give the same bits.
//
// `tile`: a block of 256 threads makes 64 o by 64 k, a thread 4 by 4; pieces of 16 pixels lie in shared memory, twice:
// while one is used the next is under way in registers. Per piece and block: 8 KiB read, 65,536 multiply-adds.
//
// `matrix`: on tensor cores, by mma.sync. A block of 256 threads makes M o by 128 k; each of its 8 warps 32 o by 16, 32 or
// 64 k. Pieces of 32 pixels (16 of tf32) lie in shared memory, three of them, brought by asynchronous copies while others
// are used. Both factors lie pixel by pixel, so ldmatrix transposes them; 32-bit values are read one by one.
// Per piece and block at M = 128: 16 KiB brought, 524,288 multiply-adds (16 bits).
#pragma once

#include "mma.cuh"

struct Params {
    u32 h;
    u32 w;
    u32 c_in;
    u32 h_out;
    u32 w_out;
    u32 c_out;
    u32 k_w;
    u32 stride_y;
    u32 stride_x;
    // Elements of padding before the input.
    u32 pad_y;
    u32 pad_x;
    // Elements of a window: k_h * k_w * c_in.
    u32 k;
    // n * h_out * w_out.
    u32 pixels;
    // Pixels of a chunk, and chunks.
    u32 chunk;
    u32 chunks;
};

namespace bwd_filter {

// Pixels of a piece, o and k of a block.
enum : u32 { PIXELS = 16, WIDTH = 64 };

// A place in a window.
struct Tap {
    u32 ky;
    u32 kx;
    u32 c;
    bool there;
};

static __device__ __forceinline__ Tap tap(const Params &p, u32 k) {
    u32 place = k / p.c_in;
    u32 ky = place / p.k_w;
    return Tap{ky, place - ky * p.k_w, k - place * p.c_in, k < p.k};
}

// Where an output pixel's window begins: the image's first row among all images', first row, first column.
struct Window {
    u32 top;
    i32 y;
    i32 x;
};

static __device__ __forceinline__ Window window(const Params &p, u32 pixel) {
    u32 row = pixel / p.w_out;
    u32 image = row / p.h_out;
    u32 oy = row - image * p.h_out;
    u32 ox = pixel - row * p.w_out;
    return Window{image * p.h, (i32)(oy * p.stride_y) - (i32)p.pad_y, (i32)(ox * p.stride_x) - (i32)p.pad_x};
}

// The element at a place of a window, or null in the padding and past the last.
template <class T>
__device__ __forceinline__ const T *element(const Params &p, const T *x, const Window &window, const Tap &tap) {
    i32 iy = window.y + (i32)tap.ky;
    i32 ix = window.x + (i32)tap.kx;
    bool inside = tap.there && iy >= 0 && iy < (i32)p.h && ix >= 0 && ix < (i32)p.w;
    return inside ? x + (u64)((window.top + (u32)iy) * p.w + (u32)ix) * p.c_in + tap.c : nullptr;
}

// Four neighbours along k of a window: of one tap where the channels come in fours.
template <class T>
__device__ __forceinline__ float4 four(const Params &p, const T *x, const Window &window, const Tap (&taps)[4]) {
    if (p.c_in % 4 == 0) {
        const T *from = element(p, x, window, taps[0]);
        return from ? load4(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    float values[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        const T *from = element(p, x, window, taps[i]);
        values[i] = from ? load(from) : 0.0f;
    }
    return make_float4(values[0], values[1], values[2], values[3]);
}

// Four neighbours along o of a pixel of dy.
template <class T>
__device__ __forceinline__ float4 four(const Params &p, const T *dy, u32 pixel, u32 o) {
    const T *from = dy + (u64)pixel * p.c_out + o;
    if (p.c_out % 4 == 0) {
        return o < p.c_out ? load4(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    float values[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        values[i] = o + i < p.c_out ? load(from + i) : 0.0f;
    }
    return make_float4(values[0], values[1], values[2], values[3]);
}

template <class T>
__device__ __forceinline__ void tile(const Params &p, const T *x, const T *dy, float *partial) {
    // dy: [2, 16 pixels, 64 o] f32, x: [2, 16 pixels, 64 k] f32
    __shared__ float4 shared_dy[2][PIXELS][WIDTH / 4];
    __shared__ float4 shared_x[2][PIXELS][WIDTH / 4];
    u32 row = threadIdx.x / 16;
    u32 lane = threadIdx.x % 16;
    u32 first_o = blockIdx.y * WIDTH;
    u32 first_k = blockIdx.x * WIDTH;
    Tap taps[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        taps[i] = tap(p, first_k + lane * 4 + i);
    }
    u32 begin = blockIdx.z * p.chunk;
    u32 end = min(begin + p.chunk, p.pixels);
    float4 next_dy, next_x;
    auto bring = [&](u32 base) {
        u32 pixel = base + row;
        next_dy = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        next_x = next_dy;
        if (pixel < end) {
            next_dy = four(p, dy, pixel, first_o + lane * 4);
            next_x = four(p, x, window(p, pixel), taps);
        }
    };
    float sums[4][4] = {};
    bring(begin);
    shared_dy[0][row][lane] = next_dy;
    shared_x[0][row][lane] = next_x;
    __syncthreads();
    u32 half = 0;
    for (u32 base = begin; base < end; base += PIXELS) {
        bool more = base + PIXELS < end;
        if (more) {
            bring(base + PIXELS);
        }
#pragma unroll
        for (u32 i = 0; i < PIXELS; i++) {
            float4 a = shared_dy[half][i][row];
            float4 b = shared_x[half][i][lane];
            const float rows[4] = {a.x, a.y, a.z, a.w};
#pragma unroll
            for (u32 j = 0; j < 4; j++) {
                sums[j][0] += rows[j] * b.x;
                sums[j][1] += rows[j] * b.y;
                sums[j][2] += rows[j] * b.z;
                sums[j][3] += rows[j] * b.w;
            }
        }
        // The other half was last read before the previous barrier.
        half ^= 1;
        if (more) {
            shared_dy[half][row][lane] = next_dy;
            shared_x[half][row][lane] = next_x;
        }
        __syncthreads();
    }
#pragma unroll
    for (u32 j = 0; j < 4; j++) {
        u32 o = first_o + row * 4 + j;
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            u32 k = first_k + lane * 4 + i;
            if (o < p.c_out && k < p.k) {
                partial[((u64)blockIdx.z * p.c_out + o) * p.k + k] = sums[j][i];
            }
        }
    }
}

// k of a block on tensor cores.
enum : u32 { COLUMNS = 128 };

// How a piece of one factor lies in shared memory: rows of WIDTH values, a row a pixel.
template <class T, u32 WIDTH>
struct Piece {
    enum : u32 {
        VALUES = 16 / sizeof(T),
        ROWS = 64 / sizeof(T),
        PARTS = WIDTH / VALUES,
        BYTES = ROWS * WIDTH * sizeof(T),
        // Parts that the block's threads bring at most each.
        SLOTS = (ROWS * PARTS + mma::THREADS - 1) / mma::THREADS,
    };

    // Parts are exchanged so that what a warp reads at once lies in different banks: eight rows' equal parts, of 32-bit
    // values four rows' equal pairs of parts.
    static __device__ __forceinline__ u32 place(u32 row, u32 part) {
        u32 other = sizeof(T) == 4 ? row % 4 * 2 : PARTS == 4 ? row / 2 % 4 : row % 8;
        return (row * PARTS + (part ^ other)) * 16;
    }

    static __device__ __forceinline__ u32 part_of() {
        return threadIdx.x % PARTS;
    }

    static __device__ __forceinline__ u32 row_of(u32 slot) {
        return threadIdx.x / PARTS + slot * (mma::THREADS / PARTS);
    }

    // 16 columns by 32 bytes of rows from `row` and `column` on, as the instruction's left factor, transposed.
    static __device__ __forceinline__ void left(u32 shared, u32 row, u32 column, u32 (&a)[4]) {
        u32 lane = threadIdx.x % 32;
        if constexpr (sizeof(T) == 2) {
            ptx::ldmatrix_x4_trans(a, shared + place(row + lane / 16 * 8 + lane % 8, column / 8 + lane / 8 % 2));
        } else {
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                a[i] = value(shared, row + lane % 4 + i / 2 * 4, column + lane / 4 + i % 2 * 8);
            }
        }
    }

    // The same as the right factor, for two tiles of 8 columns.
    static __device__ __forceinline__ void right(u32 shared, u32 row, u32 column, u32 (&b)[2][2]) {
        u32 lane = threadIdx.x % 32;
        if constexpr (sizeof(T) == 2) {
            u32 two[4];
            ptx::ldmatrix_x4_trans(two, shared + place(row + lane / 8 % 2 * 8 + lane % 8, column / 8 + lane / 16));
            b[0][0] = two[0];
            b[0][1] = two[1];
            b[1][0] = two[2];
            b[1][1] = two[3];
        } else {
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                b[i / 2][i % 2] = value(shared, row + lane % 4 + i % 2 * 4, column + i / 2 * 8 + lane / 4);
            }
        }
    }

    // A 32-bit value.
    static __device__ __forceinline__ u32 value(u32 shared, u32 row, u32 column) {
        return ptx::ld_shared_u32(shared + place(row, column / VALUES) + column % VALUES * sizeof(T));
    }
};

// 16 bytes along k of a window to shared memory.
template <class T>
__device__ __forceinline__ void copy(const Params &p, u32 to, const T *x, const Window &window, u32 k, const Tap &first) {
    constexpr u32 VALUES = 16 / sizeof(T);
    if (p.c_in % VALUES == 0) {
        const T *from = element(p, x, window, first);
        mma::copy16(to, from ? from : x, from != nullptr);
        return;
    }
#pragma unroll 1
    for (u32 i = 0; i < VALUES; i++) {
        const T *from = element(p, x, window, tap(p, k + i));
        mma::put(to + i * sizeof(T), from ? *from : from_f32<T>(0.0f));
    }
}

// 16 bytes along o of a pixel of dy to shared memory.
template <class T>
__device__ __forceinline__ void copy(const Params &p, u32 to, const T *dy, u32 pixel, u32 o, bool there) {
    constexpr u32 VALUES = 16 / sizeof(T);
    const T *from = dy + (u64)pixel * p.c_out + o;
    if (p.c_out % VALUES == 0) {
        there = there && o < p.c_out;
        mma::copy16(to, there ? from : dy, there);
        return;
    }
#pragma unroll 1
    for (u32 i = 0; i < VALUES; i++) {
        mma::put(to + i * sizeof(T), there && o + i < p.c_out ? from[i] : from_f32<T>(0.0f));
    }
}

// Both factors are values as they are stored: of tf32 both are rounded here.
template <class Unit>
struct Rounded : Unit {
    static __device__ __forceinline__ void right(u32 (&b)[2][2]) {
    }
};

#if __CUDA_ARCH__ >= 800
template <>
struct Rounded<mma::Tf32> : mma::Tf32 {
    static __device__ __forceinline__ void right(u32 (&b)[2][2]) {
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            b[i / 2][i % 2] = ptx::cvt_rna_tf32_f32(__uint_as_float(b[i / 2][i % 2]));
        }
    }
};
#endif

template <class Unit, u32 M>
__device__ __forceinline__ void
matrix(const Params &p, const typename Unit::Storage *x, const typename Unit::Storage *dy, float *partial) {
    typedef typename Unit::Storage T;
    typedef Piece<T, M> Left;
    typedef Piece<T, COLUMNS> Right;
    // Warps side by side along k, and their tiles of 8.
    constexpr u32 ACROSS = 8 / (M / 32);
    constexpr u32 TILES = COLUMNS / ACROSS / 8;
    __shared__ __align__(128) char pieces[mma::STAGES * (Left::BYTES + Right::BYTES)];
    u32 shared = ptx::shared(pieces);
    u32 first_o = blockIdx.y * M;
    u32 first_k = blockIdx.x * COLUMNS;
    u32 begin = blockIdx.z * p.chunk;
    u32 end = min(begin + p.chunk, p.pixels);
    u32 own_k = first_k + Right::part_of() * Right::VALUES;
    Tap own = tap(p, own_k);
    u32 count = end > begin ? (end - begin + Left::ROWS - 1) / Left::ROWS : 0;
    auto bring = [&](u32 piece) {
        u32 to = shared + piece % mma::STAGES * (Left::BYTES + Right::BYTES);
        u32 base = begin + piece * Left::ROWS;
#pragma unroll
        for (u32 i = 0; i < Left::SLOTS; i++) {
            u32 row = Left::row_of(i);
            if (row < Left::ROWS) {
                u32 o = first_o + Left::part_of() * Left::VALUES;
                copy(p, to + Left::place(row, Left::part_of()), dy, base + row, o, base + row < end);
            }
        }
#pragma unroll
        for (u32 i = 0; i < Right::SLOTS; i++) {
            u32 row = Right::row_of(i);
            Window from = window(p, min(base + row, p.pixels - 1));
            // No row of a window is there.
            from.y = base + row < end ? from.y : -0x40000000;
            copy(p, to + Left::BYTES + Right::place(row, Right::part_of()), x, from, own_k, own);
        }
    };
    float sums[2][TILES][4] = {};
    // Groups are counted: an empty one stands for a piece that is not there.
#pragma unroll
    for (u32 piece = 0; piece < mma::STAGES - 1; piece++) {
        if (piece < count) {
            bring(piece);
        }
        mma::commit();
    }
    u32 warp = threadIdx.x / 32;
    u32 warp_o = warp / ACROSS * 32;
    u32 warp_k = warp % ACROSS * (TILES * 8);
    for (u32 piece = 0; piece < count; piece++) {
        mma::wait<mma::STAGES - 2>();
        // The piece is there for all threads, and all are done with the one before, whose place the next takes.
        __syncthreads();
        if (piece + mma::STAGES - 1 < count) {
            bring(piece + mma::STAGES - 1);
        }
        mma::commit();
        u32 at = shared + piece % mma::STAGES * (Left::BYTES + Right::BYTES);
#pragma unroll
        for (u32 row = 0; row < Left::ROWS; row += Left::ROWS / 2) {
            u32 a[2][4];
#pragma unroll
            for (u32 i = 0; i < 2; i++) {
                Left::left(at, row, warp_o + 16 * i, a[i]);
            }
#pragma unroll
            for (u32 j = 0; j < TILES; j += 2) {
                u32 b[2][2];
                Right::right(at + Left::BYTES, row, warp_k + 8 * j, b);
                Rounded<Unit>::right(b);
#pragma unroll
                for (u32 i = 0; i < 2; i++) {
                    Unit::multiply(sums[i][j], a[i], b[0]);
                    Unit::multiply(sums[i][j + 1], a[i], b[1]);
                }
            }
        }
    }
    u32 lane = threadIdx.x % 32;
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        u32 o = first_o + warp_o + i * 8 + lane / 4;
        float *to = partial + ((u64)blockIdx.z * p.c_out + o) * p.k;
#pragma unroll
        for (u32 j = 0; j < TILES; j++) {
            u32 k = first_k + warp_k + j * 8 + lane % 4 * 2;
            float one = sums[i / 2][j][i % 2 * 2];
            float other = sums[i / 2][j][i % 2 * 2 + 1];
            if (o < p.c_out && k + 1 < p.k && p.k % 2 == 0) {
                *(float2 *)(to + k) = make_float2(one, other);
            } else if (o < p.c_out) {
                if (k < p.k) {
                    to[k] = one;
                }
                if (k + 1 < p.k) {
                    to[k + 1] = other;
                }
            }
        }
    }
}

// dw[i] = sum over chunks of partial[chunk, i].
static __device__ __forceinline__ void merge(const Params &p, const float *partial, float *dw) {
    u32 at;
    if (!::element(p.c_out * p.k, at)) {
        return;
    }
    float sum = 0.0f;
    for (u32 chunk = 0; chunk < p.chunks; chunk++) {
        sum += partial[(u64)chunk * p.c_out * p.k + at];
    }
    dw[at] = sum;
}

} // namespace bwd_filter

// The entries of a stem: each target's file has what the more general ones do not have.
#define TILE(STEM, T, SUFFIX)                                                                                          \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_tile_##SUFFIX(const Params p, const T *x, const T *dy, float *partial, float *dw) {                     \
        bwd_filter::tile(p, x, dy, partial);                                                                           \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        STEM##_merge_##SUFFIX(const Params p, const T *x, const T *dy, const float *partial, float *dw) {              \
        bwd_filter::merge(p, partial, dw);                                                                             \
    }
#define MATRIX(STEM, UNIT, M, SUFFIX)                                                                                  \
    extern "C" __global__ void __launch_bounds__(mma::THREADS, 2) STEM##_mma_m##M##_##SUFFIX(                          \
        const Params p, const mma::UNIT::Storage *x, const mma::UNIT::Storage *dy, float *partial, float *dw           \
    ) {                                                                                                                \
        bwd_filter::matrix<mma::UNIT, M>(p, x, dy, partial);                                                           \
    }
#define EVERY_HEIGHT(STEM, UNIT, SUFFIX)                                                                               \
    MATRIX(STEM, UNIT, 32, SUFFIX)                                                                                     \
    MATRIX(STEM, UNIT, 64, SUFFIX)                                                                                     \
    MATRIX(STEM, UNIT, 128, SUFFIX)
#if __CUDA_ARCH__ == 750
#define ENTRIES(STEM)                                                                                                  \
    TILE(STEM, float, f32)                                                                                             \
    TILE(STEM, f16, f16)                                                                                               \
    TILE(STEM, bf16, bf16)                                                                                             \
    EVERY_HEIGHT(STEM, F16, f16)
#else
#define ENTRIES(STEM)                                                                                                  \
    EVERY_HEIGHT(STEM, F16, f16)                                                                                       \
    EVERY_HEIGHT(STEM, Bf16, bf16)                                                                                     \
    EVERY_HEIGHT(STEM, Tf32, tf32)
#endif
