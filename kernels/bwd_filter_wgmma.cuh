// The gradients of filters on Hopper's tensor cores, by wgmma, in 16 bits: see wgmma.cuh.
//
// The product is made transposed, for windows are longer than outputs are many: a block makes 128 k by N o. Its k are
// boxes, WIDTH channels of a tap each, so that few channels waste little; TMA walks the windows of each box itself
// (im2col), and loads zeros where there is no channel, no pixel or padding. A stage is 64 pixels; chunks are multiples
// of that, so that no stage is of two chunks.
#pragma once

#include "bwd_filter_geometry.cuh"
#include "wgmma.cuh"

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

namespace bwd_filter {

// Pixels of a stage.
enum : u32 { DEPTH = 64 };

// A range of a tap's channels.
struct Box {
    u32 tap;
    u32 c;
    bool there;
};

// Past the last box: the last once more, so that there is something to load.
template <u32 WIDTH>
__device__ __forceinline__ Box box(const Params &p, u32 at) {
    u32 parts = (p.c_in + WIDTH - 1) / WIDTH;
    u32 last = p.k / p.c_in * parts - 1;
    u32 own = min(at, last);
    u32 tap = own / parts;
    return Box{tap, (own - tap * parts) * WIDTH, at <= last};
}

template <class Unit, u32 N, u32 WIDTH>
__device__ __forceinline__ void wgmma_kernel(
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
            ConvGeometry geometry(p);
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
            for (u32 stage = 0; stage < count; stage++) {
                u32 pixel = begin + stage * DEPTH;
                Window from = geometry.window(pixel);
                pipeline.begin(stage);
#pragma unroll
                for (u32 i = 0; i < BOXES; i++) {
                    ptx::cp_async_bulk_tensor_4d_im2col(
                        pipeline.x(stage) + i * Layout::BOX_X, &x, (i32)c[i], from.x, from.y, (i32)from.image, kx[i],
                        ky[i], pipeline.full(stage)
                    );
                }
#pragma unroll
                for (u32 i = 0; i < N / Layout::WIDTH_W; i++) {
                    ptx::cp_async_bulk_tensor_2d(
                        pipeline.w(stage) + i * Layout::BOX_W, &dy, (i32)(first_o + i * Layout::WIDTH_W), (i32)pixel,
                        pipeline.full(stage)
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

} // namespace bwd_filter

#endif
