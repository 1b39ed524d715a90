// How many parts there are.
fn part_count() -> u32 {
    return p.pieces;
}

#include "parts_total"

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
        sum += term(i);
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        parts[piece] = sum;
    }
}
