// Greedy non-maximum suppression of every list at once: see nms.cu, which does it for one.
//
//     keep the best box, drop those whose overlap with it is more than tenths / 10, and repeat
//
// One block a list. Union works on whole pixels in whole numbers, so that an overlap of exactly the threshold is told
// as f64 tells it. Operations: count^2 comparisons and about 12 * count * kept a list.
// Targets: compute_75
// Hot: suppress_f32

#include "cascade/head.cuh"

struct Params {
    u32 lists;
    // The threshold: 5 or 7.
    u32 tenths;
    // 0 union of `corners`, 1 the smaller of the two, of `extra`.
    u32 overlap;
    // Slots of all lists: where the second half of `work` begins.
    u32 slots;
};

static __device__ bool overlaps(const Params &p, const Box *boxes, u32 i, u32 j) {
    if (p.overlap == 0) {
        int4 a = boxes[i].corners;
        int4 b = boxes[j].corners;
        u32 width = (u32)max(min(a.z, b.z) - max(a.x, b.x) + 1, 0);
        u32 height = (u32)max(min(a.w, b.w) - max(a.y, b.y) + 1, 0);
        u32 area_a = (u32)(a.z - a.x + 1) * (u32)(a.w - a.y + 1);
        u32 area_b = (u32)(b.z - b.x + 1) * (u32)(b.w - b.y + 1);
        u32 both = width * height;
        u32 whole = area_a + area_b - both;
        return 10 * both > p.tenths * whole;
    }
    float4 a = boxes[i].extra;
    float4 b = boxes[j].extra;
    float width = fmaxf(fminf(a.z, b.z) - fmaxf(a.x, b.x) + 1.0f, 0.0f);
    float height = fmaxf(fminf(a.w, b.w) - fmaxf(a.y, b.y) + 1.0f, 0.0f);
    float area_a = __fmul_rn(a.z - a.x + 1.0f, a.w - a.y + 1.0f);
    float area_b = __fmul_rn(b.z - b.x + 1.0f, b.w - b.y + 1.0f);
    float smaller = fminf(area_a, area_b);
    return !(__fmul_rn(__fmul_rn(10.0f, width), height) <= __fmul_rn((float)p.tenths, smaller));
}

extern "C" __global__ void __launch_bounds__(256) suppress_f32(
    const Params p,
    // segments: [lists] of Segment
    const Segment *__restrict__ segments,
    // counts: [lists] u32
    const u32 *counts,
    // boxes: [slots] of Box
    const Box *boxes,
    // work: [2, slots] u32: each list's slots by score, and whether the one at a place is dropped
    u32 *work,
    // kept: [slots] u32: each list's kept slots, best first
    u32 *kept,
    // kept_counts: [lists] u32
    u32 *kept_counts
) {
    // scores, orders: [256] of the boxes that are being compared with
    __shared__ float scores[256];
    __shared__ u32 orders[256];
    u32 thread = threadIdx.x;
    u32 list = blockIdx.x;
    u32 first = segments[list].first;
    u32 n = min(counts[list], segments[list].capacity);
    for (u32 from = 0; from < n; from += 256) {
        u32 i = from + thread;
        float score = i < n ? boxes[first + i].score : 0.0f;
        u32 order = i < n ? boxes[first + i].order : 0;
        u32 place = 0;
        for (u32 base = 0; base < n; base += 256) {
            __syncthreads();
            if (base + thread < n) {
                scores[thread] = boxes[first + base + thread].score;
                orders[thread] = boxes[first + base + thread].order;
            }
            __syncthreads();
            for (u32 j = 0; j < min(256, n - base); j++) {
                place += scores[j] > score || (scores[j] == score && orders[j] > order);
            }
        }
        if (i < n) {
            work[first + place] = first + i;
            work[p.slots + first + i] = 0;
        }
    }
    __syncthreads();
    u32 found = 0;
    // All threads read the same flag; it is written only before the barrier that ends an earlier turn.
    for (u32 place = 0; place < n; place++) {
        if (work[p.slots + first + place] != 0) {
            continue;
        }
        u32 best = work[first + place];
        if (thread == 0) {
            kept[first + found] = best;
        }
        found++;
        for (u32 other = place + 1 + thread; other < n; other += 256) {
            if (work[p.slots + first + other] == 0 && overlaps(p, boxes, best, work[first + other])) {
                work[p.slots + first + other] = 1;
            }
        }
        __syncthreads();
    }
    if (thread == 0) {
        kept_counts[list] = found;
    }
}
