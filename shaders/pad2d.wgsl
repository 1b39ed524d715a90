// Zeros around an image, or less of it.
//
//     y[image, r, q] = x[image, r + top, q + left], or 0; top and left are below zero where there is a border
//
// One thread an element. Operations: 0 an element. Bytes: each input read once, y written once.

#include "crop"

@compute @workgroup_size(64)
fn pad2d_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    crop(id.x + id.y * groups.x * 64u);
}
