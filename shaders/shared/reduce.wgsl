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

#include "block_sum"

@compute @workgroup_size(256)
fn STEM_fwd_parts(
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
        sum += term(x[i]);
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        parts[piece] = sum;
    }
}

@compute @workgroup_size(256)
fn STEM_fwd_total(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var i = thread; i < p.pieces; i += 256u) {
        sum += parts[i];
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        y[0] = result(sum);
    }
}
