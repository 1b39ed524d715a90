// Gradient of a locally connected layer with respect to its bias.
//
//     db[i] = sum over images of dy[image, i]
//
// One thread an element of the bias. Operations: n an element. Bytes: dy read once.

struct Params {
    n: u32,
    // h_out * w_out * c_out.
    elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// dy: [n, elements] f32
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
// db: [elements] f32
@group(0) @binding(2) var<storage, read_write> db: array<f32>;

@compute @workgroup_size(64)
fn local_conv2d_bwd_bias(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    var sum = 0.0;
    for (var image = 0u; image < p.n; image++) {
        sum += dy[image * p.elements + at];
    }
    db[at] = sum;
}
