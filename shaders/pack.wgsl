// Filters to the layout of conv2d and dense, for filters that are computed or trained rather than given: given ones are
// packed once, on their way to the device.
//
//     forward:  o is a channel of the output, k a tap and a channel of the input.
//     backward: the gradient of the input is a convolution of dy; o is a channel of the input, k a tap and a channel of
//               the output. Taps are walked from `last` backwards in steps of the stride, which are those that meet one
//               of the stride's phases.
//
//     packed[k, o], channels padded to a multiple of four
//
// One thread an element. Bytes: w read once, packed written once.

struct Params {
    // Elements of packed, and of one of its rows.
    elements: u32,
    pitch: u32,
    // Extents of w: [c_out, k_h, k_w, c_in].
    c_out: u32,
    k_h: u32,
    k_w: u32,
    c_in: u32,
    // Taps that are taken: extents, the last of each axis, steps between them. Backward alone.
    taps_y: u32,
    taps_x: u32,
    last_y: u32,
    last_x: u32,
    step_y: u32,
    step_x: u32,
    // 1 for backward.
    backward: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// w: [c_out, k_h, k_w, c_in] f32
@group(0) @binding(1) var<storage, read_write> w: array<f32>;
// packed: [elements / pitch, pitch] f32
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(64)
fn pack(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let k = at / p.pitch;
    let o = at - k * p.pitch;
    packed[at] = 0.0;
    if (p.backward == 1u) {
        let place = k / p.c_out;
        if (o < p.c_in && place < p.taps_y * p.taps_x) {
            let ky = p.last_y - place / p.taps_x * p.step_y;
            let kx = p.last_x - place % p.taps_x * p.step_x;
            packed[at] = w[((k % p.c_out * p.k_h + ky) * p.k_w + kx) * p.c_in + o];
        }
    } else {
        let total = p.k_h * p.k_w * p.c_in;
        if (o < p.c_out && k < total) {
            packed[at] = w[o * total + k];
        }
    }
}
