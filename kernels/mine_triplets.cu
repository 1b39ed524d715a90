// A negative for each pair of one person within a batch.
//
//     y[a, p] = the negative chosen for a < p of one label, -1 if there is none; elsewhere -1
//
// A thread has a pair, of which few are of one label; for each that is, its warp looks for negatives, 32 at a time: it
// counts them, draws which to take by the pair's random number, and finds that one. The nearest is found in one pass.
// Operations: 2 a pair of one label and a negative. Bytes: y written once; rows of distances, from the cache, twice for
// each of their pairs.
// Targets: compute_75
// Hot: mine_triplets_fwd_f32

#include "block.cuh"
#include "philox.cuh"

struct Params {
    u32 m;
    // 0 any, 1 semi-hard, 2 the nearest within the margin, 3 any within the margin.
    u32 mode;
    float margin;
    u32 seed_low;
    u32 seed_high;
    u32 purpose;
};

extern "C" __global__ void __launch_bounds__(256) mine_triplets_fwd_f32(
    const Params p,
    // distances: [m, m] f32
    const float *distances,
    // labels: [m] f32
    const float *labels,
    // step: [1] f32
    const float *step,
    // y: [m, m] f32
    float *y
) {
    u32 anchor = blockIdx.y;
    u32 lane = threadIdx.x % 32;
    u32 own = blockIdx.x * 256 + threadIdx.x;
    const float *row = distances + (u64)anchor * p.m;
    float label = labels[anchor];
    // Whether a row is a negative that comes into question beside a positive this near.
    auto fits = [&](u32 n, float near) {
        if (n >= p.m || labels[n] == label) {
            return false;
        }
        float beyond = row[n] - near;
        return p.mode == 0 || (beyond < p.margin && (p.mode != 1 || beyond > 0.0f));
    };
    bool is_pair = own < p.m && anchor < own && labels[own] == label;
    float chosen = -1.0f;
    u32 pairs = __ballot_sync(0xffffffffu, is_pair);
    while (pairs != 0) {
        u32 of = __ffs(pairs) - 1;
        pairs &= pairs - 1;
        u32 positive = own - lane + of;
        float near = row[positive];
        float found = -1.0f;
        if (p.mode == 2) {
            // Each lane's nearest, the first of equal ones, then the warp's.
            float least = infinity();
            u32 nearest = 0xffffffffu;
            for (u32 n = lane; n < p.m; n += 32) {
                if (fits(n, near) && (row[n] < least || nearest == 0xffffffffu)) {
                    least = row[n];
                    nearest = n;
                }
            }
            for (u32 lanes = 16; lanes > 0; lanes /= 2) {
                float other = __shfl_xor_sync(0xffffffffu, least, lanes);
                u32 at = __shfl_xor_sync(0xffffffffu, nearest, lanes);
                if (other < least || (other == least && at < nearest)) {
                    least = other;
                    nearest = at;
                }
            }
            found = nearest == 0xffffffffu ? -1.0f : (float)nearest;
        } else {
            u32 count = 0;
            for (u32 from = 0; from < p.m; from += 32) {
                count += __popc(__ballot_sync(0xffffffffu, fits(from + lane, near)));
            }
            u32 word = philox_word(p.seed_low, p.seed_high, anchor * p.m + positive, (u32)step[0], p.purpose);
            u32 left = (u32)((u64)word * count >> 32);
            for (u32 from = 0; from < p.m && count > 0; from += 32) {
                u32 negatives = __ballot_sync(0xffffffffu, fits(from + lane, near));
                u32 here = __popc(negatives);
                if (left < here) {
                    for (; left > 0; left--) {
                        negatives &= negatives - 1;
                    }
                    found = (float)(from + __ffs(negatives) - 1);
                    break;
                }
                left -= here;
            }
        }
        chosen = lane == of ? found : chosen;
    }
    if (own < p.m) {
        y[(u64)anchor * p.m + own] = chosen;
    }
}
