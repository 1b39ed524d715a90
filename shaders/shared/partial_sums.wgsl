// How many partial sums there are.
fn partial_count() -> u32 {
    return p.pieces;
}

#include "partial_total"

@compute @workgroup_size(256)
fn STEM_fwd_partial(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = group.x + group.y * groups.x;
    if (at >= p.pieces) {
        return;
    }
    var sum = 0.0;
    for (var i = at * 4096u + thread; i < min(at * 4096u + 4096u, p.elements); i += 256u) {
        sum += term(i);
    }
    sum = total(sum, thread);
    if (thread == 0u) {
        partial[at] = sum;
    }
}
