// Local response normalization over channels (Krizhevsky et al. 2012).
//
//     y[i] = x[i] * d[i]^-beta, d = bias + alpha * sum of x[j]^2 over the channels j at most `radius` away
//
// One thread an element. Operations: 2 * (2 * radius + 1) + 3 an element. Bytes: x read once (through the cache), y written
// once.

#include "lrn"
// y: [elements / c, c] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn lrn_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    y[at] = x[at] * factor(divisor(window(at)));
}
