// The mean of all elements.
//
//     y = sum(x) / elements, 0 for none
//
// Workgroups take pieces of 4,096 elements, then one workgroup joins what they give: trees of fixed shape.
// Operations: 1 an element. Bytes: x read once. Launch: [ceil(elements / 4096), fold], then [1].

struct Params {
    elements: u32,
    pieces: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// parts: [pieces] f32
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;
// y: [1] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// partial: what the threads of a workgroup join.
var<workgroup> partial: array<f32, 256>;

// The sum of the threads' values, in every thread: a tree of fixed shape.
fn total(value: f32, thread: u32) -> f32 {
    partial[thread] = value;
    workgroupBarrier();
    for (var lanes = 128u; lanes > 0u; lanes /= 2u) {
        if (thread < lanes) {
            partial[thread] += partial[thread + lanes];
        }
        workgroupBarrier();
    }
    let all = partial[0];
    // Before the next use.
    workgroupBarrier();
    return all;
}

@compute @workgroup_size(256)
fn mean_fwd_parts(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let piece = group.x + group.y * groups.x;
    if (piece >= p.pieces) {
        return;
    }
    var sum = 0.0;
    for (var i = piece * 4096u + thread; i < min(piece * 4096u + 4096u, p.elements); i += 256u) {
        sum += x[i];
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        parts[piece] = sum;
    }
}

@compute @workgroup_size(256)
fn mean_fwd_total(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var i = thread; i < p.pieces; i += 256u) {
        sum += parts[i];
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        y[0] = sum / f32(max(p.elements, 1u));
    }
}
