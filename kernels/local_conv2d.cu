// Convolution whose filters are not shared between positions (DeepFace's locally connected layers), VALID.
//
//     y[image, position, o] = act(b[position, o] + sum over ky, kx, c of x[..] * w[position, o, ky, kx, c])
//
// One warp four outputs of a position, for every image: lane i takes elements i, i + 32, .. of the filters, eight images
// meet each of them, and a tree of fixed shape adds the lanes' partial sums. Operations: 2 * k_h * k_w * c_in an output.
// Bytes: w read from memory once, for later images from the cache, where a warp's filters are still; that is the bound.
// Targets: compute_75
// Hot: local_conv2d_fwd_f32 local_conv2d_fwd_f16 local_conv2d_fwd_bf16

#include "common.cuh"

struct Params {
    u32 h;
    u32 w;
    u32 c_in;
    u32 h_out;
    u32 w_out;
    u32 c_out;
    u32 k_h;
    u32 k_w;
    u32 stride_y;
    u32 stride_x;
    // n * h_out * w_out * c_out.
    u32 outputs;
    // 1 for a rectifier.
    u32 relu;
    // The first position, how many there are, and the elements that w has before the first one's filters.
    u32 first;
    u32 positions;
    u32 skipped;
};

enum : u32 { OUTPUTS = 4, IMAGES = 8, SUMS = OUTPUTS * IMAGES };

// The sum over lanes of the value whose number is the lane's. Every value is summed by the same tree.
static __device__ __forceinline__ float transposed_sum(float (&values)[SUMS], u32 lane) {
    static_assert(SUMS == 32, "a value for each lane");
#pragma unroll
    for (u32 half = SUMS / 2; half > 0; half /= 2) {
        bool upper = lane & half;
#pragma unroll
        for (u32 i = 0; i < half; i++) {
            float kept = upper ? values[i + half] : values[i];
            float given = upper ? values[i] : values[i + half];
            values[i] = kept + __shfl_xor_sync(0xffffffffu, given, half);
        }
    }
    return values[0];
}

// Sums of a warp's outputs for some images: value o * IMAGES + i is output o's for image i.
template <class T>
__device__ __forceinline__ void
sum_filters(const Params &p, const T *const (&windows)[IMAGES], const T *const (&filters)[OUTPUTS], u32 lane, float (&sums)[SUMS]) {
    u32 run = p.k_w * p.c_in;
    u32 ky = lane / run;
    u32 i = lane - ky * run;
    for (u32 k = lane; k < p.k_h * run; k += 32) {
        u64 at = (u64)ky * p.w * p.c_in + i;
        float x[IMAGES];
#pragma unroll
        for (u32 image = 0; image < IMAGES; image++) {
            x[image] = load(windows[image] + at);
        }
#pragma unroll
        for (u32 o = 0; o < OUTPUTS; o++) {
            float weight = load(filters[o] + k);
#pragma unroll
            for (u32 image = 0; image < IMAGES; image++) {
                sums[o * IMAGES + image] += x[image] * weight;
            }
        }
        for (i += 32; i >= run; i -= run) {
            ky++;
        }
    }
}

template <class T>
__device__ void local_conv2d_fwd(
    const Params &p,
    // x: [n, h, w, c_in] T
    const T *x,
    // w: [positions, c_out, k_h, k_w, c_in] T, of those from `first` on
    const T *w,
    // b: [h_out, w_out, c_out] f32
    const float *b,
    // y: [n, h_out, w_out, c_out] T
    T *y
) {
    u32 per_image = p.h_out * p.w_out * p.c_out;
    u32 n = p.outputs / per_image;
    u32 fours = (p.c_out + OUTPUTS - 1) / OUTPUTS;
    u32 row;
    u32 lane;
    if (!warp_row(p.positions * fours, row, lane)) {
        return;
    }
    u32 of_piece = row / fours;
    u32 place = p.first + of_piece;
    u32 first_output = (row - of_piece * fours) * OUTPUTS;
    u32 iy = place / p.w_out * p.stride_y;
    u32 ix = place % p.w_out * p.stride_x;
    const T *window = x + (u64)(iy * p.w + ix) * p.c_in;
    const T *filters[OUTPUTS];
#pragma unroll
    for (u32 o = 0; o < OUTPUTS; o++) {
        // Outputs and images past the last are the last once more, and not kept.
        u32 output = of_piece * p.c_out + min(first_output + o, p.c_out - 1);
        filters[o] = w + p.skipped + (u64)output * p.k_h * p.k_w * p.c_in;
    }
    u32 output = first_output + lane / IMAGES;
    for (u32 first_image = 0; first_image < n; first_image += IMAGES) {
        const T *windows[IMAGES];
#pragma unroll
        for (u32 image = 0; image < IMAGES; image++) {
            windows[image] = window + (u64)min(first_image + image, n - 1) * p.h * p.w * p.c_in;
        }
        float sums[SUMS] = {};
        sum_filters(p, windows, filters, lane, sums);
        float sum = transposed_sum(sums, lane);
        u32 image = first_image + lane % IMAGES;
        if (output < p.c_out && image < n) {
            u32 local = place * p.c_out + output;
            sum += b[local];
            store(y + (u64)image * per_image + local, p.relu == 1 ? fmaxf(sum, 0.0f) : sum);
        }
    }
}

#define KERNEL(T, SUFFIX)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) local_conv2d_fwd_##SUFFIX(                                       \
        const Params p, const T *x, const T *__restrict__ w, const float *__restrict__ b, T *y                         \
    ) {                                                                                                                \
        local_conv2d_fwd(p, x, w, b, y);                                                                               \
    }
EVERY_DTYPE(KERNEL)
