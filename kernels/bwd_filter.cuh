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
//
// `warpgroups`: on Hopper's tensor cores, by wgmma, in 16 bits: see wgmma.cuh. The product is made transposed, for windows
// are longer than outputs are many: a block makes 128 k by N o. Its k are boxes, WIDTH channels of a tap each, so that few
// channels waste little; the copy engine walks the windows of each box itself, and brings zeros where there is no channel,
// no pixel or padding. Pieces of 64 pixels; chunks are multiples of that, so that no piece is of two chunks.
#pragma once

#include "mma.cuh"
#include "wgmma.cuh"

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

// Where an output pixel's window begins: the image, its first row among all images', first row, first column.
struct Window {
    u32 image;
    u32 top;
    i32 y;
    i32 x;
};

// Division by a number that stays: by the reciprocal, in 2^32nds and rounded up, which is at most one too many.
struct Divisor {
    u32 by;
    u32 reciprocal;

    __device__ __forceinline__ Divisor(u32 by) : by(by), reciprocal(0xffffffffu / by + 1) {
    }

    __device__ __forceinline__ u32 divide(u32 x) const {
        if (by == 1) {
            return x;
        }
        u32 quotient = __umulhi(x, reciprocal);
        return quotient * by > x ? quotient - 1 : quotient;
    }
};

// Windows of pixels, which come in any order.
struct Windows {
    const Params &p;
    Divisor columns;
    Divisor rows;

    __device__ __forceinline__ Windows(const Params &p) : p(p), columns(p.w_out), rows(p.h_out) {
    }

    __device__ __forceinline__ Window at(u32 pixel) const {
        u32 row = columns.divide(pixel);
        u32 image = rows.divide(row);
        u32 oy = row - image * p.h_out;
        u32 ox = pixel - row * p.w_out;
        return Window{
            image, image * p.h, (i32)(oy * p.stride_y) - (i32)p.pad_y, (i32)(ox * p.stride_x) - (i32)p.pad_x
        };
    }
};

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
    Windows windows(p);
    u32 begin = blockIdx.z * p.chunk;
    u32 end = min(begin + p.chunk, p.pixels);
    float4 next_dy, next_x;
    auto bring = [&](u32 base) {
        u32 pixel = base + row;
        next_dy = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        next_x = next_dy;
        if (pixel < end) {
            next_dy = four(p, dy, pixel, first_o + lane * 4);
            next_x = four(p, x, windows.at(pixel), taps);
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

    // A 32-bit value, rounded: the unit would cut the lower bits off.
    static __device__ __forceinline__ u32 value(u32 shared, u32 row, u32 column) {
        u32 bits = ptx::ld_shared_u32(shared + place(row, column / VALUES) + column % VALUES * sizeof(T));
#if __CUDA_ARCH__ >= 800
        bits = ptx::cvt_rna_tf32_f32(__uint_as_float(bits));
#endif
        return bits;
    }
};

// 16 bytes along k of a window to shared memory.
template <class T>
__device__ __forceinline__ void copy(const Params &p, u32 to, const T *x, const Window &window, u32 k, const Tap &first) {
    constexpr u32 VALUES = 16 / sizeof(T);
    if (p.c_in % VALUES == 0 || !first.there) {
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

// The unit's product of factors that are rounded already.
template <class Unit>
struct Product : Unit {};

#if __CUDA_ARCH__ >= 800
template <>
struct Product<mma::Tf32> {
    static __device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
        ptx::mma_m16n8k8_tf32(d, a, b);
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
    Windows windows(p);
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
        // One after the other: at M = 128 all registers are taken.
#pragma unroll 1
        for (u32 i = 0; i < Right::SLOTS; i++) {
            u32 row = Right::row_of(i);
            Window from = windows.at(base + row);
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
        // Of 32-bit values every place is an address: one half after the other, lest registers be short.
#pragma unroll(sizeof(T) == 4 ? 1 : 2)
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
#pragma unroll
                for (u32 i = 0; i < 2; i++) {
                    Product<Unit>::multiply(sums[i][j], a[i], b[0]);
                    Product<Unit>::multiply(sums[i][j + 1], a[i], b[1]);
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

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

// Pixels of a piece by warpgroups.
enum : u32 { DEPTH = 64 };

// A stretch of a tap's channels.
struct Box {
    u32 tap;
    u32 c;
    bool there;
};

// Past the last box: the last once more, so that there is something to bring.
template <u32 WIDTH>
__device__ __forceinline__ Box box(const Params &p, u32 at) {
    u32 parts = (p.c_in + WIDTH - 1) / WIDTH;
    u32 last = p.k / p.c_in * parts - 1;
    u32 own = min(at, last);
    u32 tap = own / parts;
    return Box{tap, (own - tap * parts) * WIDTH, at <= last};
}

template <class Unit, u32 N, u32 WIDTH>
__device__ __forceinline__ void warpgroups(
    const Params &p,
    // x: [n, h, w, c_in] T
    const wgmma::TensorMap &x,
    // dy: [pixels, c_out] T
    const wgmma::TensorMap &dy,
    // partial: [chunks, c_out, k] f32
    float *partial
) {
    typedef wgmma::AcrossK<N, DEPTH, WIDTH> Layout;
    typedef wgmma::Pipeline<N, DEPTH, Layout> Pipeline;
    typedef wgmma::Share<N, DEPTH> Share;
    constexpr u32 BOXES = wgmma::ROWS / WIDTH;
    extern __shared__ char memory[];
    Pipeline pipeline(memory);
    u32 first_box = blockIdx.x * BOXES;
    u32 first_o = blockIdx.y * N;
    u32 begin = blockIdx.z * p.chunk;
    u32 end = min(begin + p.chunk, p.pixels);
    u32 count = (end - begin + DEPTH - 1) / DEPTH;
    if (pipeline.is_producer()) {
        ptx::setmaxnreg_dec<Share::PRODUCER>();
        if (threadIdx.x == 0) {
            Windows windows(p);
            u32 c[BOXES];
            u16 kx[BOXES], ky[BOXES];
#pragma unroll
            for (u32 i = 0; i < BOXES; i++) {
                Box own = box<WIDTH>(p, first_box + i);
                c[i] = own.c;
                ky[i] = (u16)(own.tap / p.k_w);
                kx[i] = (u16)(own.tap - ky[i] * p.k_w);
            }
#pragma unroll 1
            for (u32 piece = 0; piece < count; piece++) {
                u32 pixel = begin + piece * DEPTH;
                Window from = windows.at(pixel);
                pipeline.begin(piece);
#pragma unroll
                for (u32 i = 0; i < BOXES; i++) {
                    ptx::cp_async_bulk_tensor_4d_im2col(
                        pipeline.x(piece) + i * Layout::BOX_X, &x, (i32)c[i], from.x, from.y, (i32)from.image, kx[i],
                        ky[i], pipeline.full(piece)
                    );
                }
#pragma unroll
                for (u32 i = 0; i < N / Layout::WIDTH_W; i++) {
                    ptx::cp_async_bulk_tensor_2d(
                        pipeline.w(piece) + i * Layout::BOX_W, &dy, (i32)(first_o + i * Layout::WIDTH_W), (i32)pixel,
                        pipeline.full(piece)
                    );
                }
            }
        }
        return;
    }
    ptx::setmaxnreg_inc<Share::CONSUMER>();
    float sums[N / 2];
    pipeline.template product<Unit>(count, sums);
    u32 lane = threadIdx.x % 32;
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 row = wgmma::first_row() + half * 8 + lane / 4;
        Box own = box<WIDTH>(p, first_box + row / WIDTH);
        u32 c = own.c + row % WIDTH;
        float *to = partial + (u64)blockIdx.z * p.c_out * p.k + own.tap * p.c_in + c;
#pragma unroll
        for (u32 j = 0; j < N / 8; j++) {
            // Outputs come in eights.
            u32 o = first_o + j * 8 + lane % 4 * 2;
            if (own.there && c < p.c_in && o < p.c_out) {
                to[(u64)o * p.k] = sums[j * 4 + half * 2];
                to[(u64)(o + 1) * p.k] = sums[j * 4 + half * 2 + 1];
            }
        }
    }
}

#endif

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
#define MATRIX(STEM, UNIT, SUFFIX, M)                                                                                  \
    extern "C" __global__ void __launch_bounds__(mma::THREADS, 2) STEM##_mma_m##M##_##SUFFIX(                          \
        const Params p, const mma::UNIT::Storage *x, const mma::UNIT::Storage *dy, float *partial, float *dw           \
    ) {                                                                                                                \
        bwd_filter::matrix<mma::UNIT, M>(p, x, dy, partial);                                                           \
    }
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define WARPGROUPS(STEM, UNIT, SUFFIX, N, WIDTH)                                                                       \
    extern "C" __global__ void __launch_bounds__(wgmma::THREADS, wgmma::Share<N, bwd_filter::DEPTH>::BLOCKS)           \
        sm90_##STEM##_wgmma_n##N##c##WIDTH##_##SUFFIX(                                                                 \
        const Params p, const __grid_constant__ wgmma::TensorMap x, const __grid_constant__ wgmma::TensorMap dy,       \
        float *partial, float *dw                                                                                      \
    ) {                                                                                                                \
        bwd_filter::warpgroups<wgmma::UNIT, N, WIDTH>(p, x, dy, partial);                                              \
    }
#define ENTRIES(STEM)                                                                                                  \
    EVERY_WGMMA_SHAPE(WARPGROUPS, STEM, F16, f16)                                                                      \
    EVERY_WGMMA_SHAPE(WARPGROUPS, STEM, Bf16, bf16)
#elif __CUDA_ARCH__ == 750
#define ENTRIES(STEM)                                                                                                  \
    TILE(STEM, float, f32)                                                                                             \
    TILE(STEM, f16, f16)                                                                                               \
    TILE(STEM, bf16, bf16)                                                                                             \
    EVERY_MMA_WIDTH(MATRIX, STEM, F16, f16)
#else
#define ENTRIES(STEM)                                                                                                  \
    EVERY_MMA_WIDTH(MATRIX, STEM, F16, f16)                                                                            \
    EVERY_MMA_WIDTH(MATRIX, STEM, Bf16, bf16)                                                                          \
    EVERY_MMA_WIDTH(MATRIX, STEM, Tf32, tf32)
#endif
