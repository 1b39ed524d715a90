// Greedy non-maximum suppression (`nms` of the original MTCNN).
//
//     keep the best box, drop those whose overlap with it is more than the threshold, and repeat
//
// One block. First every box finds its place among the others by counting the better ones (of equal scores the later
// one is the better), whose scores pass through shared memory; then the places are walked in order: a box still alive
// is kept, and all threads compare the ones after it with it. Operations: about 12 * n * kept, and n^2 comparisons.
// Targets: compute_75

#include "common.cuh"

struct Params {
    u32 n;
    float threshold;
    // 0 union, 1 the smaller of the two.
    u32 overlap;
};

static __device__ bool overlaps(const Params &p, const float *boxes, u32 i, u32 j) {
    const float *a = boxes + (u64)i * 5;
    const float *b = boxes + (u64)j * 5;
    float width = fmaxf(fminf(a[2], b[2]) - fmaxf(a[0], b[0]) + 1.0f, 0.0f);
    float height = fmaxf(fminf(a[3], b[3]) - fmaxf(a[1], b[1]) + 1.0f, 0.0f);
    // Rounded one by one, as on the CPU.
    float both = __fmul_rn(width, height);
    float area_a = __fmul_rn(a[2] - a[0] + 1.0f, a[3] - a[1] + 1.0f);
    float area_b = __fmul_rn(b[2] - b[0] + 1.0f, b[3] - b[1] + 1.0f);
    float whole = p.overlap == 1 ? fminf(area_a, area_b) : area_a + area_b - both;
    return !(both / whole <= p.threshold);
}

extern "C" __global__ void __launch_bounds__(256) nms_fwd_f32(
    const Params p,
    // boxes: [n, 5] f32: x1 y1 x2 y2 score
    const float *boxes,
    // y: [n] f32: the kept rows, best first, then -1
    float *y,
    // order: [2, n] u32: the rows by score, and whether the row at a place is dropped
    u32 *order
) {
    // scores: [256] f32
    __shared__ float scores[256];
    u32 thread = threadIdx.x;
    for (u32 first = 0; first < p.n; first += 256) {
        u32 i = first + thread;
        float score = i < p.n ? boxes[(u64)i * 5 + 4] : 0.0f;
        u32 place = 0;
        for (u32 base = 0; base < p.n; base += 256) {
            __syncthreads();
            if (base + thread < p.n) {
                scores[thread] = boxes[(u64)(base + thread) * 5 + 4];
            }
            __syncthreads();
            for (u32 j = 0; j < min(256, p.n - base); j++) {
                place += scores[j] > score || (scores[j] == score && base + j > i);
            }
        }
        if (i < p.n) {
            order[place] = i;
            order[p.n + i] = 0;
            y[i] = -1.0f;
        }
    }
    __syncthreads();
    u32 kept = 0;
    // All threads read the same flag; it is written only before the barrier that ends an earlier turn.
    for (u32 place = 0; place < p.n; place++) {
        if (order[p.n + place] != 0) {
            continue;
        }
        u32 best = order[place];
        if (thread == 0) {
            y[kept] = (float)best;
        }
        kept++;
        for (u32 other = place + 1 + thread; other < p.n; other += 256) {
            if (overlaps(p, boxes, best, order[other])) {
                order[p.n + other] = 1;
            }
        }
        __syncthreads();
    }
}
