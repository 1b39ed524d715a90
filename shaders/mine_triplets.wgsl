// A negative for each pair of one person within a batch.
//
//     y[a, p] = the negative chosen for a < p of one label, -1 if there is none; elsewhere -1
//
// One thread a pair: it counts the negatives that come into question, draws which to take by the pair's random number, and
// looks for that one. The nearest is found in one pass. Operations: 2 a pair of one label and a negative.
// Bytes: y written once; rows of distances, from the cache, twice for each of their pairs.

struct Params {
    m: u32,
    // 0 any, 1 semi-hard, 2 the nearest within the margin, 3 any within the margin.
    mode: u32,
    margin: f32,
    seed_low: u32,
    seed_high: u32,
    purpose: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// distances: [m, m] f32
@group(0) @binding(1) var<storage, read_write> distances: array<f32>;
// labels: [m] f32
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
// step: [1] f32
@group(0) @binding(3) var<storage, read_write> step: array<f32>;
// y: [m, m] f32
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

#include "philox"

// Whether row n is a negative that comes into question for a pair.
fn fits(anchor: u32, positive: u32, n: u32) -> bool {
    let beyond = distances[anchor * p.m + n] - distances[anchor * p.m + positive];
    let near = p.mode == 0u || (beyond < p.margin && (p.mode != 1u || beyond > 0.0));
    return near && labels[n] != labels[anchor];
}

// The first of the nearest, or -1.
fn nearest(anchor: u32, positive: u32) -> i32 {
    var best = -1;
    for (var n = 0u; n < p.m; n++) {
        if (fits(anchor, positive, n)) {
            if (best < 0 || distances[anchor * p.m + n] < distances[anchor * p.m + u32(best)]) {
                best = i32(n);
            }
        }
    }
    return best;
}

// Any, or -1.
fn drawn(anchor: u32, positive: u32) -> i32 {
    var count = 0u;
    for (var n = 0u; n < p.m; n++) {
        count += u32(fits(anchor, positive, n));
    }
    let i = anchor * p.m + positive;
    let words = philox(i / 4u, u32(step[0]));
    var left = upper(words[i % 4u], count);
    for (var n = 0u; n < p.m; n++) {
        if (fits(anchor, positive, n)) {
            if (left == 0u) {
                return i32(n);
            }
            left--;
        }
    }
    return -1;
}

@compute @workgroup_size(64)
fn mine_triplets_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.m * p.m) {
        return;
    }
    let anchor = at / p.m;
    let positive = at % p.m;
    var chosen = -1;
    if (anchor < positive && labels[anchor] == labels[positive]) {
        if (p.mode == 2u) {
            chosen = nearest(anchor, positive);
        } else {
            chosen = drawn(anchor, positive);
        }
    }
    y[at] = f32(chosen);
}
