// Convolution with its epilogue fused, as implicit matrix product: rows are output pixels, columns output channels,
// the inner axis k runs over the taps and their input channels.
//
//     y[pixel, o] = act(scale * (sum over k of x[pixel, k] * w[k, o] + b[o]) + residual[pixel, o])
//
// One order of summation in each algorithm, k ascending and no sum split, in f32 whatever the storage type: the result
// depends neither on the batch nor on how many outputs are computed beside it. N and K are in the kernels' names.
//
//     conv2d_fwd_tile        128 pixels by 64 channels by 16 k in shared memory, 8 x 4 a thread: see igemm.cuh.
//     conv2d_fwd_narrow      one pixel by 16 channels a thread: few output channels. The filters pass through shared
//                            memory in stages of 64 k, and are the same for all threads.
//     conv2d_fwd_mma         128 pixels by N channels on tensor cores: see mma.cuh.
//     sm90_conv2d_fwd_wgmma  128 pixels by N channels by stages of K channels of a tap: see wgmma.cuh. TMA walks the
//                            windows itself (im2col). c_in is a multiple of 8, taps are not joined (run is c_in).
//
// Operations: 2 * pixels * c_out * k. Bytes: x and residual read, y written once, w once per block of pixels.
// Targets: compute_75 compute_80 sm_90a
// Hot: conv2d_fwd_tile_f32 conv2d_fwd_tile_f16 conv2d_fwd_tile_bf16
// Hot: conv2d_fwd_narrow_f32 conv2d_fwd_narrow_f16 conv2d_fwd_narrow_bf16
// Hot: conv2d_fwd_mma_n32_f16 conv2d_fwd_mma_n64_f16 conv2d_fwd_mma_n128_f16
// Hot: conv2d_fwd_mma_n32_bf16 conv2d_fwd_mma_n64_bf16 conv2d_fwd_mma_n128_bf16
// Hot: conv2d_fwd_mma_n32_tf32 conv2d_fwd_mma_n64_tf32 conv2d_fwd_mma_n128_tf32
// Hot: sm90_conv2d_fwd_wgmma_n32k64_f16 sm90_conv2d_fwd_wgmma_n64k64_f16
// Hot: sm90_conv2d_fwd_wgmma_n96k64_f16 sm90_conv2d_fwd_wgmma_n128k64_f16
// Hot: sm90_conv2d_fwd_wgmma_n32k64_bf16 sm90_conv2d_fwd_wgmma_n64k64_bf16
// Hot: sm90_conv2d_fwd_wgmma_n96k64_bf16 sm90_conv2d_fwd_wgmma_n128k64_bf16

#include "epilogue.cuh"
#include "igemm.cuh"
#include "mma.cuh"
#include "wgmma.cuh"

struct Params {
    u32 h;
    u32 w;
    u32 c_in;
    u32 h_out;
    u32 w_out;
    u32 c_out;
    u32 stride_y;
    u32 stride_x;
    // Elements of padding before the input.
    u32 pad_y;
    u32 pad_x;
    // Contiguous runs of the input: taps_y * taps_x of `run` elements. Without padding a whole row of the kernel is one
    // run, and taps_x is 1.
    u32 taps_y;
    u32 taps_x;
    u32 run;
    // n * h_out * w_out.
    u32 pixels;
    // Vectors of four in a row of w; tensor cores: values.
    u32 columns;
    u32 y_offset;
    u32 y_stride;
    // Bits: 1 bias, 2 relu, 4 prelu, 8 residual.
    u32 flags;
    float scale;
};

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

// A place on the inner axis: element `at` of the run at tap (ky, kx).
struct Place {
    u32 ky;
    u32 kx;
    u32 at;

    __device__ __forceinline__ void advance(const Params &p, u32 n) {
#pragma unroll 1
        for (at += n; at >= p.run; at -= p.run) {
            if (++kx == p.taps_x) {
                kx = 0;
                ky++;
            }
        }
    }
};

// The im2col rows of x: SLOTS windows, read in step along the inner axis by fours.
template <class T, u32 SLOTS>
struct Im2colRows {
    const Params &p;
    const T *x;
    Window windows[SLOTS];
    Place place;

    // The values of a window from `place` on, one by one: where a run begins is reckoned once for the run.
    struct OneByOne {
        const Im2colRows &rows;
        const Window &window;
        Place place;
        const T *run;

        __device__ __forceinline__ OneByOne(const Im2colRows &rows, const Window &window)
            : rows(rows), window(window), place(rows.place), run(rows.run(window, place)) {}

        __device__ __forceinline__ T next() {
            T value = run ? run[place.at] : from_f32<T>(0.0f);
            if (++place.at == rows.p.run) {
                bool last = ++place.kx == rows.p.taps_x;
                place = Place{place.ky + last, last ? 0 : place.kx, 0};
                run = rows.run(window, place);
            }
            return value;
        }
    };

    // Pixels past the last read the last's window.
    __device__ __forceinline__ Im2colRows(const Params &p, const T *x, u32 k) : p(p), x(x), place{0, 0, 0} {
        place.advance(p, k);
    }

    __device__ __forceinline__ void begin(u32 slot, u32 pixel) {
        windows[slot] = window(p, min(pixel, p.pixels - 1));
    }

    // Where the run of a tap begins in a window, or null in the padding and past the last tap.
    __device__ __forceinline__ const T *run(const Window &window, const Place &place) const {
        i32 iy = window.y + (i32)place.ky;
        i32 ix = window.x + (i32)place.kx;
        bool inside = place.ky < p.taps_y && iy >= 0 && iy < (i32)p.h && ix >= 0 && ix < (i32)p.w;
        return inside ? x + (u64)((window.top + (u32)iy) * p.w + (u32)ix) * p.c_in : nullptr;
    }

    // The element at a place of a window, or null likewise.
    __device__ __forceinline__ const T *element(const Window &window, const Place &place) const {
        const T *first = run(window, place);
        return first ? first + place.at : nullptr;
    }

    __device__ __forceinline__ float4 fetch(u32 slot) const {
        // Runs of whole fours: four elements lie in one of them, and begin aligned.
        if (p.c_in % 4 == 0) {
            const T *four = element(windows[slot], place);
            return four ? load4(four) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        }
        float values[4];
        OneByOne one(*this, windows[slot]);
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            values[i] = to_f32(one.next());
        }
        return make_float4(values[0], values[1], values[2], values[3]);
    }

    __device__ __forceinline__ void advance(u32 n) {
        place.advance(p, n);
    }

    // 16 bytes of a window to shared memory.
    __device__ __forceinline__ void copy(u32 slot, u32 to) const {
        constexpr u32 VALUES = 16 / sizeof(T);
        if (p.c_in % VALUES == 0) {
            const T *from = element(windows[slot], place);
            mma::copy16(to, from ? from : x, from != nullptr);
            return;
        }
        // The image itself, with its three channels: value by value, in a loop, since it is one layer of many, and stored
        // at once, since rows of 64 bytes share their banks.
        OneByOne one(*this, windows[slot]);
        uint4 words = make_uint4(0, 0, 0, 0);
#pragma unroll 1
        for (u32 i = 0; i < 4; i++) {
            u32 word = mma::bits(one.next());
            if constexpr (sizeof(T) == 2) {
                word |= mma::bits(one.next()) << 16;
            }
            words = make_uint4(words.y, words.z, words.w, word);
        }
        ptx::st_shared_v4(to, words);
    }

    // On by a stage.
    __device__ __forceinline__ void advance() {
        place.advance(p, mma::ROW / sizeof(T));
    }
};

template <class T>
__device__ __forceinline__ Epilogue<T>
epilogue_of(const Params &p, const float *b, const float *alpha, const T *residual, T *y) {
    return Epilogue<T>{p.flags, p.scale, p.c_out, p.y_offset, p.y_stride, b, alpha, residual, y};
}

template <class T>
__device__ void conv2d_fwd_tile(
    const Params &p,
    // x: [n, h, w, c_in] T
    const T *x,
    // w: [taps_y * taps_x * run, columns] four T: filters transposed, channels padded with zeros
    const T *w,
    // b: [c_out] f32
    const float *b,
    // alpha: [c_out] f32
    const float *alpha,
    // residual: [n, h_out, w_out, c_out] T
    const T *residual,
    // y: [n, h_out, w_out, c_out] T, rows y_stride apart
    T *y
) {
    constexpr u32 R = 8;
    __shared__ igemm::Shared<R> shared;
    u32 first = blockIdx.x * 16 * R;
    u32 column = blockIdx.y * (igemm::COLUMNS / 4);
    Im2colRows<T, igemm::SLOTS<R>> source(p, x, igemm::first_k());
#pragma unroll
    for (u32 i = 0; i < igemm::SLOTS<R>; i++) {
        source.begin(i, first + igemm::row_of(i));
    }
    float sums[R][4];
    igemm::product<R>(shared, source, w, p.taps_y * p.taps_x * p.run, column, p.columns, sums);
    Epilogue<T> epilogue = epilogue_of(p, b, alpha, residual, y);
#pragma unroll
    for (u32 i = 0; i < R; i++) {
        u32 pixel = first + threadIdx.x / 16 * R + i;
        if (pixel < p.pixels) {
            epilogue.write(sums[i], pixel, (column + threadIdx.x % 16) * 4);
        }
    }
}

// k of a stage of filters, and threads of conv2d_fwd_narrow.
#define STAGE_K 64
#define LANES 128

template <class T>
__device__ void conv2d_fwd_narrow(
    const Params &p,
    // x: [n, h, w, c_in] T
    const T *x,
    // w: [taps_y * taps_x * run, columns] four T: filters transposed, channels padded with zeros
    const T *w,
    // b: [c_out] f32
    const float *b,
    // alpha: [c_out] f32
    const float *alpha,
    // residual: [n, h_out, w_out, c_out] T
    const T *residual,
    // y: [n, h_out, w_out, c_out] T, rows y_stride apart
    T *y
) {
    // stage: [64 k, 4] four f32
    __shared__ float4 stage[STAGE_K][4];
    u32 pixel = blockIdx.x * LANES + threadIdx.x;
    u32 column = blockIdx.y * 4;
    Im2colRows<T, 1> source(p, x, 0);
    source.begin(0, pixel);
    float sums[4][4] = {};
    u32 total = p.taps_y * p.taps_x * p.run;
    for (u32 base = 0; base < total; base += STAGE_K) {
        __syncthreads();
        for (u32 i = threadIdx.x; i < STAGE_K * 4; i += LANES) {
            stage[i / 4][i % 4] = igemm::filters(w, base + i / 4, total, column + i % 4, p.columns);
        }
        __syncthreads();
        // Past the last k both factors are zero.
        for (u32 k = 0; k < min(STAGE_K, total - base); k += 4) {
            float4 four = source.fetch(0);
            source.advance(4);
            float values[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
#pragma unroll
                for (u32 j = 0; j < 4; j++) {
                    float4 filters = stage[k + i][j];
                    sums[j][0] += values[i] * filters.x;
                    sums[j][1] += values[i] * filters.y;
                    sums[j][2] += values[i] * filters.z;
                    sums[j][3] += values[i] * filters.w;
                }
            }
        }
    }
    if (pixel >= p.pixels) {
        return;
    }
    Epilogue<T> epilogue = epilogue_of(p, b, alpha, residual, y);
#pragma unroll
    for (u32 j = 0; j < 4; j++) {
        epilogue.write(sums[j], pixel, (column + j) * 4);
    }
}

template <class Unit, u32 N>
__device__ void conv2d_fwd_mma(
    const Params &p,
    // x: [n, h, w, c_in] T
    const typename Unit::Storage *x,
    // w: [c_out, columns] T: filters, padded with zeros
    const typename Unit::Storage *w,
    // b: [c_out] f32
    const float *b,
    // alpha: [c_out] f32
    const float *alpha,
    // residual: [n, h_out, w_out, c_out] T
    const typename Unit::Storage *residual,
    // y: [n, h_out, w_out, c_out] T, rows y_stride apart
    typename Unit::Storage *y
) {
    typedef typename Unit::Storage T;
    typedef mma::Warps<N> Warps;
    __shared__ __align__(128) char stages[mma::STAGES * mma::STAGE_BYTES<N>];
    u32 first = blockIdx.x * mma::ROWS;
    u32 column = blockIdx.y * N;
    Im2colRows<T, mma::ROWS / 64> source(p, x, mma::part_of() * (16 / sizeof(T)));
#pragma unroll
    for (u32 i = 0; i < mma::ROWS / 64; i++) {
        source.begin(i, first + mma::row_of() + i * 64);
    }
    float sums[Warps::TILES][4][4];
    mma::product<Unit, N>(ptx::shared(stages), source, w, p.columns, column, p.c_out, sums);
    Epilogue<T> epilogue = epilogue_of(p, b, alpha, residual, y);
    u32 channel = column + Warps::first_column() + mma::lane_column();
#pragma unroll
    for (u32 i = 0; i < Warps::TILES; i++) {
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            float row[8];
            mma::transpose(sums[i], half, row);
            u32 pixel = first + Warps::first_row() + i * 16 + mma::lane_row(half);
            if (pixel < p.pixels) {
                epilogue.write(row, pixel, channel);
            }
        }
    }
}

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

template <class Unit, u32 N, u32 K>
__device__ void sm90_conv2d_fwd_wgmma(
    const Params &p,
    // x: [n, h, w, c_in] T
    const wgmma::TensorMap &x,
    // w: [c_out, columns] T: filters, padded with zeros
    const wgmma::TensorMap &w,
    // b: [c_out] f32
    const float *b,
    // alpha: [c_out] f32
    const float *alpha,
    // residual: [n, h_out, w_out, c_out] T
    const typename Unit::Storage *residual,
    // y: [n, h_out, w_out, c_out] T, rows y_stride apart
    typename Unit::Storage *y
) {
    typedef wgmma::Pipeline<N, K> Pipeline;
    extern __shared__ char memory[];
    Pipeline pipeline(memory);
    u32 first = blockIdx.x * wgmma::ROWS;
    u32 column = blockIdx.y * N;
    u32 slices = (p.c_in + K - 1) / K;
    u32 stages = p.taps_y * p.taps_x * slices;
    if (pipeline.is_producer()) {
        ptx::setmaxnreg_dec<wgmma::Share<N, K>::PRODUCER>();
        if (threadIdx.x == 0) {
            Window start = window(p, first);
            i32 image = (i32)(start.top / p.h);
            u32 stage = 0;
            for (u32 ky = 0; ky < p.taps_y; ky++) {
                for (u32 kx = 0; kx < p.taps_x; kx++) {
#pragma unroll 1
                    for (u32 slice = 0; slice < slices; slice++, stage++) {
                        // Channels past c_in come as zeros, whatever the filters hold beside them.
                        u32 c = slice * K;
                        pipeline.begin(stage);
                        ptx::cp_async_bulk_tensor_4d_im2col(
                            pipeline.x(stage), &x, (i32)c, start.x, start.y, image, (u16)kx, (u16)ky, pipeline.full(stage)
                        );
                        ptx::cp_async_bulk_tensor_2d(
                            pipeline.w(stage), &w, (i32)((ky * p.taps_x + kx) * p.c_in + c), (i32)column,
                            pipeline.full(stage)
                        );
                    }
                }
            }
        }
        return;
    }
    ptx::setmaxnreg_inc<wgmma::Share<N, K>::CONSUMER>();
    float sums[N / 2];
    pipeline.template product<Unit>(stages, sums);
    Epilogue<typename Unit::Storage> epilogue = epilogue_of(p, b, alpha, residual, y);
    u32 row = first + wgmma::first_row();
#pragma unroll
    for (u32 from = 0; from < N; from += 32) {
        float tiles[4][4];
#pragma unroll
        for (u32 i = 0; i < 16; i++) {
            tiles[i / 4][i % 4] = sums[from / 2 + i];
        }
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            float eight[8];
            mma::transpose(tiles, half, eight);
            u32 pixel = row + mma::lane_row(half);
            if (pixel < p.pixels) {
                epilogue.write(eight, pixel, column + from + mma::lane_column());
            }
        }
    }
}

#endif

// Each target's file has what the more general ones do not have.
#if __CUDA_ARCH__ == 750
#define ENTRY(NAME, THREADS, T, SUFFIX)                                                                                \
    extern "C" __global__ void __launch_bounds__(THREADS) NAME##_##SUFFIX(                                             \
        const Params p, const T *x, const T *__restrict__ w, const float *__restrict__ b,                              \
        const float *__restrict__ alpha, const T *residual, T *y                                                       \
    ) {                                                                                                                \
        NAME(p, x, w, b, alpha, residual, y);                                                                          \
    }
#define KERNEL(T, SUFFIX)                                                                                              \
    ENTRY(conv2d_fwd_tile, 256, T, SUFFIX)                                                                             \
    ENTRY(conv2d_fwd_narrow, LANES, T, SUFFIX)
EVERY_DTYPE(KERNEL)
#endif

#define MMA(UNIT, SUFFIX, N)                                                                                           \
    extern "C" __global__ void __launch_bounds__(mma::THREADS, 2) conv2d_fwd_mma_n##N##_##SUFFIX(                      \
        const Params p, const mma::UNIT::Storage *x, const mma::UNIT::Storage *__restrict__ w,                         \
        const float *__restrict__ b, const float *__restrict__ alpha, const mma::UNIT::Storage *residual,              \
        mma::UNIT::Storage *y                                                                                          \
    ) {                                                                                                                \
        conv2d_fwd_mma<mma::UNIT, N>(p, x, w, b, alpha, residual, y);                                                  \
    }
#if __CUDA_ARCH__ <= 800
EVERY_MMA_WIDTH(MMA, F16, f16)
#endif
#if __CUDA_ARCH__ == 800
EVERY_MMA_WIDTH(MMA, Bf16, bf16)
EVERY_MMA_WIDTH(MMA, Tf32, tf32)
#endif

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define WGMMA(UNIT, SUFFIX, N, K)                                                                                      \
    extern "C" __global__ void __launch_bounds__(wgmma::THREADS, wgmma::Share<N, K>::BLOCKS)                           \
        sm90_conv2d_fwd_wgmma_n##N##k##K##_##SUFFIX(                                                                   \
        const Params p, const __grid_constant__ wgmma::TensorMap x, const __grid_constant__ wgmma::TensorMap w,        \
        const float *__restrict__ b, const float *__restrict__ alpha, const wgmma::UNIT::Storage *residual,            \
        wgmma::UNIT::Storage *y                                                                                        \
    ) {                                                                                                                \
        sm90_conv2d_fwd_wgmma<wgmma::UNIT, N, K>(p, x, w, b, alpha, residual, y);                                      \
    }
EVERY_WGMMA_SHAPE(WGMMA, F16, f16)
EVERY_WGMMA_SHAPE(WGMMA, Bf16, bf16)
#endif
