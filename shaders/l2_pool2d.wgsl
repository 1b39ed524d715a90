// Euclidean norm over the part of a sliding window that lies within the image.
//
//     y[image, oy, ox, c] = sqrt(sum over the window's pixels within the image of x[image, iy, ix, c]^2)
//
// One thread an output, channels innermost, so that neighbouring threads read neighbouring elements.
// Operations: 2 * k_h * k_w an output. Bytes: x read once (through the cache), y written once.

#include "pool2d"

@compute @workgroup_size(64)
fn l2_pool2d_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.outputs) {
        return;
    }
    let inside = window(at);
    var sum = 0.0;
    for (var iy = inside.first_y; iy < inside.end_y; iy++) {
        for (var ix = inside.first_x; ix < inside.end_x; ix++) {
            let value = x[place(inside, iy, ix)];
            sum += value * value;
        }
    }
    y[inside.y] = sqrt(sum);
}
