// Greedy non-maximum suppression (`nms` of the original MTCNN).
//
//     keep the best box, drop those whose overlap with it is more than the threshold, and repeat
//
// One workgroup. First every box finds its place among the others by counting the better ones (of equal scores the
// later one is the better); then the places are walked in order: a box still alive is kept, and all threads compare
// the ones after it with it. Operations: about 12 * n * kept, and n^2 comparisons.

struct Params {
    n: u32,
    threshold: f32,
    // 0 union, 1 the smaller of the two.
    overlap: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// boxes: [n, 5] f32: x1 y1 x2 y2 score
@group(0) @binding(1) var<storage, read_write> boxes: array<f32>;
// y: [n] f32: the kept rows, best first, then -1
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// order: [2, n] u32: the rows by score, and whether the row at a place is dropped
@group(0) @binding(3) var<storage, read_write> order: array<u32>;

var<workgroup> alive: u32;

fn better(i: u32, j: u32) -> bool {
    let a = boxes[i * 5u + 4u];
    let b = boxes[j * 5u + 4u];
    return a > b || (a == b && i > j);
}

fn overlaps(i: u32, j: u32) -> bool {
    let a = vec4(boxes[i * 5u], boxes[i * 5u + 1u], boxes[i * 5u + 2u], boxes[i * 5u + 3u]);
    let b = vec4(boxes[j * 5u], boxes[j * 5u + 1u], boxes[j * 5u + 2u], boxes[j * 5u + 3u]);
    let extent = max(min(a.zw, b.zw) - max(a.xy, b.xy) + 1.0, vec2(0.0));
    let both = extent.x * extent.y;
    let area_a = (a.z - a.x + 1.0) * (a.w - a.y + 1.0);
    let area_b = (b.z - b.x + 1.0) * (b.w - b.y + 1.0);
    let whole = select(area_a + area_b - both, min(area_a, area_b), p.overlap == 1u);
    return !(both / whole <= p.threshold);
}

@compute @workgroup_size(64)
fn nms_fwd(@builtin(local_invocation_index) thread: u32) {
    for (var i = thread; i < p.n; i += 64u) {
        var place = 0u;
        for (var j = 0u; j < p.n; j++) {
            place += u32(better(j, i));
        }
        order[place] = i;
        order[p.n + i] = 0u;
        y[i] = -1.0;
    }
    storageBarrier();
    var kept = 0u;
    for (var place = 0u; place < p.n; place++) {
        if (thread == 0u) {
            alive = 1u - order[p.n + place];
        }
        if (workgroupUniformLoad(&alive) == 0u) {
            continue;
        }
        let best = order[place];
        if (thread == 0u) {
            y[kept] = f32(best);
        }
        kept++;
        for (var other = place + 1u + thread; other < p.n; other += 64u) {
            if (overlaps(best, order[other])) {
                order[p.n + other] = 1u;
            }
        }
        storageBarrier();
    }
}
