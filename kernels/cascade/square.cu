// The kept boxes of every photograph moved by their offsets, made square, and cut to whole pixels: the next network's
// crops.
//
//     moved = corners + offsets * extent; side = max(width, height); centre kept; truncated towards zero
//
// The original does this in f64. Here whole pixels stay whole, and only the small movement is a float: the sum of the
// two is then cut without ever being rounded, and is as exact as the offsets are. Products are rounded for themselves:
// fused into the differences that follow they would give other boxes than on the other backends.
// One block a photograph. Operations: 30 a box.
// Targets: compute_75
// Hot: square_f32

#include "cascade/head.cuh"

struct Params {
    u32 images;
    // Whether a box's last pixel counts into its extent.
    u32 inclusive;
};

// trunc(halves / 2 + movement).
static __device__ __forceinline__ i32 truncated(i32 halves, float movement) {
    float rest = __fadd_rn(movement, (float)(halves & 1) * 0.5f);
    float whole = floorf(rest);
    i32 down = (halves >> 1) + (i32)whole;
    return down < 0 && rest > whole ? down + 1 : down;
}

static __device__ __forceinline__ int4 squared(const Params &p, const Box &b) {
    i32 width = b.corners.z - b.corners.x;
    i32 height = b.corners.w - b.corners.y;
    float4 moved = make_float4(
        __fmul_rn(b.offsets.x, (float)(width + (i32)p.inclusive)),
        __fmul_rn(b.offsets.y, (float)(height + (i32)p.inclusive)),
        __fmul_rn(b.offsets.z, (float)(width + (i32)p.inclusive)),
        __fmul_rn(b.offsets.w, (float)(height + (i32)p.inclusive))
    );
    // Width and height after the movement: whole part and the rest.
    float more_x = __fsub_rn(moved.z, moved.x);
    float more_y = __fsub_rn(moved.w, moved.y);
    bool taller = __fadd_rn((float)(width - height), __fsub_rn(more_x, more_y)) < 0.0f;
    i32 longer = taller ? height : width;
    float longer_more = taller ? more_y : more_x;
    // corner + extent / 2 - side / 2, in halves of pixels.
    i32 halves_x = 2 * b.corners.x + width - longer;
    i32 halves_y = 2 * b.corners.y + height - longer;
    float movement_x = __fadd_rn(moved.x, __fmul_rn(__fsub_rn(more_x, longer_more), 0.5f));
    float movement_y = __fadd_rn(moved.y, __fmul_rn(__fsub_rn(more_y, longer_more), 0.5f));
    return make_int4(
        truncated(halves_x, movement_x), truncated(halves_y, movement_y),
        truncated(halves_x + 2 * longer, __fadd_rn(movement_x, longer_more)),
        truncated(halves_y + 2 * longer, __fadd_rn(movement_y, longer_more))
    );
}

extern "C" __global__ void __launch_bounds__(256) square_f32(
    const Params p,
    // segments: [images] of Segment: the photographs'
    const Segment *__restrict__ segments,
    // kept: [slots] u32
    const u32 *kept,
    // kept_counts: [images] u32
    const u32 *kept_counts,
    // boxes: [slots] of Box
    const Box *boxes,
    // squares: [slots] of Box
    Box *squares
) {
    u32 at = blockIdx.x;
    u32 first = segments[at].first;
    for (u32 k = threadIdx.x; k < kept_counts[at]; k += 256) {
        Box b = boxes[kept[first + k]];
        b.corners = squared(p, b);
        b.order = k;
        b.image = at;
        squares[first + k] = b;
    }
}
