// The nearest rows of other people.
//
//     out[i] = the k rows j of y with the least |x[i] - y[j]|^2 among those of another label: numbers, then distances
//
// A workgroup takes 16 rows of x and a stretch of y, 64 rows at a time, a thread one of them: its distances to the 16 are
// summed from the first element on, from stages of 16 elements in workgroup memory. Then one thread for each row of x puts
// what is nearer than the row's farthest into its list, ascending. A second entry joins the stretches' lists, in order.
// Operations: 3 d a pair. Bytes: y read once for every 16 rows of x.

struct Params {
    m: u32,
    n: u32,
    d: u32,
    k: u32,
    stretches: u32,
    // Rows of y in a stretch, a multiple of 64.
    stretch: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [m, d] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// labels_x: [m] f32
@group(0) @binding(2) var<storage, read_write> labels_x: array<f32>;
// y: [n, d] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
// labels_y: [n] f32
@group(0) @binding(4) var<storage, read_write> labels_y: array<f32>;
// lists: [stretches, m, 2 k] f32
@group(0) @binding(5) var<storage, read_write> lists: array<f32>;
// out: [m, 2 k] f32
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

// stage_x: [16 rows, 16] f32
var<workgroup> stage_x: array<f32, 256>;
// stage_y: [64 rows, 17] f32, an odd number to keep rows in different banks
var<workgroup> stage_y: array<f32, 1088>;
// distances: [16 rows of x, 64] f32
var<workgroup> distances: array<f32, 1024>;

// Infinity, which a constant cannot be.
fn infinity() -> f32 {
    return bitcast<f32>(0x7f800000u | min(p.k, 0u));
}

// Empties a list of k numbers and k distances.
fn clear_list(list: ptr<function, array<f32, 32>>) {
    for (var i = 0u; i < p.k; i++) {
        (*list)[i] = -1.0;
        (*list)[p.k + i] = infinity();
    }
}

// Puts a distance into a list where it is nearer than the last; of equal ones the first stays first.
fn insert(list: ptr<function, array<f32, 32>>, distance: f32, number: f32) {
    var at = p.k - 1u;
    if (distance < (*list)[p.k + at]) {
        while (at > 0u) {
            if ((*list)[p.k + at - 1u] <= distance) {
                break;
            }
            (*list)[at] = (*list)[at - 1u];
            (*list)[p.k + at] = (*list)[p.k + at - 1u];
            at--;
        }
        (*list)[at] = number;
        (*list)[p.k + at] = distance;
    }
}

@compute @workgroup_size(64)
fn nearest_other_fwd(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first = group.x * 16u;
    let own = first + thread;
    let lists_row = thread < 16u && own < p.m;
    var list: array<f32, 32>;
    clear_list(&list);
    let end = min(group.y * p.stretch + p.stretch, p.n);
    for (var start = group.y * p.stretch; start < end; start += 64u) {
        var sums: array<f32, 16>;
        for (var base = 0u; base < p.d; base += 16u) {
            workgroupBarrier();
            for (var i = thread; i < 1024u; i += 64u) {
                let row = start + i / 16u;
                let column = base + i % 16u;
                var value = 0.0;
                if (row < p.n && column < p.d) {
                    value = y[row * p.d + column];
                }
                stage_y[i / 16u * 17u + i % 16u] = value;
            }
            for (var i = thread; i < 256u; i += 64u) {
                let row = first + i / 16u;
                let column = base + i % 16u;
                var value = 0.0;
                if (row < p.m && column < p.d) {
                    value = x[row * p.d + column];
                }
                stage_x[i] = value;
            }
            workgroupBarrier();
            // Zeros past the end of a row add nothing.
            for (var k = 0u; k < 16u; k++) {
                let other = stage_y[thread * 17u + k];
                for (var i = 0u; i < 16u; i++) {
                    let difference = stage_x[i * 16u + k] - other;
                    sums[i] += difference * difference;
                }
            }
        }
        for (var i = 0u; i < 16u; i++) {
            distances[i * 64u + thread] = sums[i];
        }
        workgroupBarrier();
        if (lists_row) {
            for (var j = 0u; j < min(end - start, 64u); j++) {
                if (labels_y[start + j] != labels_x[own]) {
                    insert(&list, distances[thread * 64u + j], f32(start + j));
                }
            }
        }
        // The distances are overwritten only after the next stages' barriers.
    }
    if (lists_row) {
        let base = (group.y * p.m + own) * 2u * p.k;
        for (var i = 0u; i < 2u * p.k; i++) {
            lists[base + i] = list[i];
        }
    }
}

@compute @workgroup_size(64)
fn nearest_other_fwd_join(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.m) {
        return;
    }
    var list: array<f32, 32>;
    clear_list(&list);
    for (var stretch = 0u; stretch < p.stretches; stretch++) {
        let base = (stretch * p.m + row) * 2u * p.k;
        for (var i = 0u; i < p.k; i++) {
            insert(&list, lists[base + p.k + i], lists[base + i]);
        }
    }
    for (var i = 0u; i < 2u * p.k; i++) {
        out[row * 2u * p.k + i] = list[i];
    }
}
