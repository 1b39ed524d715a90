// Maximum over a sliding window; padding never wins.
//
//     y[image, oy, ox, c] = max over the window's pixels within the image of x[image, iy, ix, c]
//
// One thread an output, channels innermost, so that neighbouring threads read neighbouring elements.
// Operations: k_h * k_w an output. Bytes: x read once (through the cache), y written once.

#include "pool2d"

@compute @workgroup_size(64)
fn max_pool2d_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.outputs) {
        return;
    }
    let inside = window(at);
    var result = x[place(inside, inside.first_y, inside.first_x)];
    for (var iy = inside.first_y; iy < inside.end_y; iy++) {
        for (var ix = inside.first_x; ix < inside.end_x; ix++) {
            result = max(result, x[place(inside, iy, ix)]);
        }
    }
    y[inside.y] = result;
}
