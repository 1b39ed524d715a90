// A window of an image, zero outside it.
//
//     y[image, r, q] = x[image, r + top, q + left], or 0
//
// One thread an element. Operations: 0 an element. Bytes: each input read once, y written once.

#include "crop"

@compute @workgroup_size(64)
fn crop_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    crop(id.x + id.y * groups.x * 64u);
}
