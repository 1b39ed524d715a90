// Gradient of a strided convolution with respect to its input: its phases put together.
//
// Pixels of x whose place in the padded image leaves the same remainder by the stride are met by the same taps: each such
// phase is a plain convolution of dy with those taps, which conv2d computes. A convolution of stride 1 has one phase,
// which conv2d writes to dx itself.
//
//     dx[image, iy, ix, c] = phase[(iy + pad_y) % stride_y, (ix + pad_x) % stride_x][image, row, column, c]
//
// One thread an element. Bytes: the phases read once, dx written once.

struct Params {
    // n * h * w * c.
    elements: u32,
    h: u32,
    w: u32,
    c: u32,
    stride_y: u32,
    stride_x: u32,
    // Elements of padding before the input.
    pad_y: u32,
    pad_x: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// phases: [n, rows, columns, c] f32, one phase after the other
@group(0) @binding(1) var<storage, read_write> phases: array<f32>;
// phase_table: [stride_y, stride_x, 3] of each phase its first element, or none, its rows and its columns
@group(0) @binding(2) var<storage, read> phase_table: array<u32>;
// dx: [n, h, w, c] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn conv2d_bwd_data(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    let pixel = at / p.c;
    let line = pixel / p.w;
    let ix = pixel - line * p.w;
    let image = line / p.h;
    let iy = line - image * p.h;
    let phase = ((iy + p.pad_y) % p.stride_y * p.stride_x + (ix + p.pad_x) % p.stride_x) * 3u;
    let first = phase_table[phase];
    dx[at] = 0.0;
    if (first != 0xffffffffu) {
        let row = image * phase_table[phase + 1u] + iy / p.stride_y;
        dx[at] = phases[first + (row * phase_table[phase + 2u] + ix / p.stride_x) * p.c + (at - pixel * p.c)];
    }
}
