// Convolution with its epilogue fused, as implicit matrix product: rows are output pixels, columns output channels,
// the inner axis k runs over the taps and their input channels.
//
//     y[pixel, o] = act(scale * (sum over k of x[pixel, k] * w[k, o] + b[o]) + residual[pixel, o])
//
// Three algorithms, one order of summation (k ascending, each output by one thread): the result depends neither on
// the batch nor on how many outputs are computed beside it.
//
//     conv2d_fwd_register   8 pixels by 64 channels a workgroup of 8 threads, 8 x 8 a thread, nothing shared. The pixels
//                           are the same for all threads, so a processor that runs them as vector lanes reads x as
//                           scalars. For software Vulkan. Per k: 8 uniform loads, 2 vector loads, 64 multiply-adds.
//     conv2d_fwd_register4  the same, 8 x 4 a thread: 8 pixels by 32 channels.
//     conv2d_fwd_narrow     4 pixels a thread by 16 channels: few output channels. Here the filters are uniform.
//     conv2d_fwd_tile       64 pixels by 64 channels by 16 k in workgroup memory, 256 threads, 4 x 4 a thread: for real
//                           GPUs. Per 16 k: 8 KiB read from memory, 65,536 multiply-adds.
//
// Operations: 2 * pixels * c_out * k. Bytes: x and residual read, y written once, w once per block of pixels.

struct Params {
    h: u32,
    w: u32,
    c_in: u32,
    h_out: u32,
    w_out: u32,
    c_out: u32,
    stride_y: u32,
    stride_x: u32,
    // Elements of padding before the input.
    pad_y: u32,
    pad_x: u32,
    // Contiguous runs of the input: taps_y * taps_x of `run` elements. Without padding a whole row of the kernel is one
    // run, and taps_x is 1.
    taps_y: u32,
    taps_x: u32,
    run: u32,
    // n * h_out * w_out.
    pixels: u32,
    // Vectors of four in a row of w.
    columns: u32,
    y_offset: u32,
    y_stride: u32,
    // Bits: 1 bias, 2 relu, 4 prelu, 8 residual.
    flags: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c_in] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// w: [taps_y * taps_x * run, columns] vec4 of f32: filters transposed, channels padded with zeros
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
// b: [c_out] f32
@group(0) @binding(3) var<storage, read> b: array<f32>;
// alpha: [c_out] f32
@group(0) @binding(4) var<storage, read> alpha: array<f32>;
// residual: [n, h_out, w_out, c_out] f32
@group(0) @binding(5) var<storage, read_write> residual: array<f32>;
// y: [n, h_out, w_out, c_out] f32, rows y_stride apart
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

// Threads of conv2d_fwd_narrow.
override LANES: u32 = 32;

// Where an output pixel's window begins: image, first row, first column.
fn window(pixel: u32) -> vec3<i32> {
    let row = pixel / p.w_out;
    let image = row / p.h_out;
    let oy = row - image * p.h_out;
    let ox = pixel - row * p.w_out;
    return vec3(i32(image * p.h), i32(oy * p.stride_y) - i32(p.pad_y), i32(ox * p.stride_x) - i32(p.pad_x));
}

// The first element of a tap of a window, or -1 in the padding.
fn run_start(window: vec3<i32>, ky: u32, kx: u32) -> i32 {
    let iy = window.y + i32(ky);
    let ix = window.z + i32(kx);
    let inside = iy >= 0 && iy < i32(p.h) && ix >= 0 && ix < i32(p.w);
    return select(-1, ((window.x + iy) * i32(p.w) + ix) * i32(p.c_in), inside);
}

// Apply the epilogue to four channels of one pixel, from `channel` on.
fn epilogue(sums: vec4<f32>, pixel: u32, channel: u32) {
    for (var i = 0u; i < 4u; i++) {
        let o = channel + i;
        if (o >= p.c_out) {
            return;
        }
        var value = sums[i];
        if ((p.flags & 1u) != 0u) {
            value += b[o];
        }
        if ((p.flags & 8u) != 0u) {
            value = p.scale * value + residual[pixel * p.c_out + o];
        }
        if ((p.flags & 2u) != 0u) {
            value = max(value, 0.0);
        }
        if ((p.flags & 4u) != 0u) {
            value = max(value, 0.0) + alpha[o] * min(value, 0.0);
        }
        y[p.y_offset + pixel * p.y_stride + o] = value;
    }
}

@compute @workgroup_size(8)
fn conv2d_fwd_register(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.x + group.z * groups.x) * 8u;
    if (first >= p.pixels) {
        return;
    }
    let column = group.y * 16u + lane * 2u;
    let c0 = min(column, p.columns - 1u);
    let c1 = min(column + 1u, p.columns - 1u);
    var windows = array<vec3<i32>, 8>();
    var near = array<vec4<f32>, 8>();
    var far = array<vec4<f32>, 8>();
    for (var i = 0u; i < 8u; i++) {
        windows[i] = window(min(first + i, p.pixels - 1u));
        near[i] = vec4(0.0);
        far[i] = vec4(0.0);
    }
    var row = 0u;
    for (var ky = 0u; ky < p.taps_y; ky++) {
        for (var kx = 0u; kx < p.taps_x; kx++) {
            var base = array<u32, 8>();
            var inside = array<f32, 8>();
            for (var i = 0u; i < 8u; i++) {
                let start = run_start(windows[i], ky, kx);
                base[i] = u32(max(start, 0));
                inside[i] = select(0.0, 1.0, start >= 0);
            }
            for (var k = 0u; k < p.run; k++) {
                let w0 = w[row + c0];
                let w1 = w[row + c1];
                row += p.columns;
                for (var i = 0u; i < 8u; i++) {
                    let value = x[base[i] + k] * inside[i];
                    near[i] += value * w0;
                    far[i] += value * w1;
                }
            }
        }
    }
    for (var i = 0u; i < 8u; i++) {
        if (first + i < p.pixels) {
            epilogue(near[i], first + i, column * 4u);
            epilogue(far[i], first + i, column * 4u + 4u);
        }
    }
}

@compute @workgroup_size(8)
fn conv2d_fwd_register4(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.x + group.z * groups.x) * 8u;
    if (first >= p.pixels) {
        return;
    }
    let column = group.y * 8u + lane;
    let c0 = min(column, p.columns - 1u);
    var windows = array<vec3<i32>, 8>();
    var sums = array<vec4<f32>, 8>();
    for (var i = 0u; i < 8u; i++) {
        windows[i] = window(min(first + i, p.pixels - 1u));
        sums[i] = vec4(0.0);
    }
    var row = 0u;
    for (var ky = 0u; ky < p.taps_y; ky++) {
        for (var kx = 0u; kx < p.taps_x; kx++) {
            var base = array<u32, 8>();
            var inside = array<f32, 8>();
            for (var i = 0u; i < 8u; i++) {
                let start = run_start(windows[i], ky, kx);
                base[i] = u32(max(start, 0));
                inside[i] = select(0.0, 1.0, start >= 0);
            }
            for (var k = 0u; k < p.run; k++) {
                let w0 = w[row + c0];
                row += p.columns;
                for (var i = 0u; i < 8u; i++) {
                    sums[i] += x[base[i] + k] * inside[i] * w0;
                }
            }
        }
    }
    for (var i = 0u; i < 8u; i++) {
        if (first + i < p.pixels) {
            epilogue(sums[i], first + i, column * 4u);
        }
    }
}

@compute @workgroup_size(LANES)
fn conv2d_fwd_narrow(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.x + group.z * groups.x) * LANES * 4u + lane;
    let column = group.y * 4u;
    var windows = array<vec3<i32>, 4>();
    var sums0 = array<vec4<f32>, 4>();
    var sums1 = array<vec4<f32>, 4>();
    var sums2 = array<vec4<f32>, 4>();
    var sums3 = array<vec4<f32>, 4>();
    for (var i = 0u; i < 4u; i++) {
        windows[i] = window(min(first + i * LANES, p.pixels - 1u));
        sums0[i] = vec4(0.0);
        sums1[i] = vec4(0.0);
        sums2[i] = vec4(0.0);
        sums3[i] = vec4(0.0);
    }
    let last = p.columns - 1u;
    let columns = vec4(column, min(column + 1u, last), min(column + 2u, last), min(column + 3u, last));
    var row = 0u;
    for (var ky = 0u; ky < p.taps_y; ky++) {
        for (var kx = 0u; kx < p.taps_x; kx++) {
            var base = array<u32, 4>();
            var inside = array<f32, 4>();
            for (var i = 0u; i < 4u; i++) {
                let start = run_start(windows[i], ky, kx);
                base[i] = u32(max(start, 0));
                inside[i] = select(0.0, 1.0, start >= 0);
            }
            for (var k = 0u; k < p.run; k++) {
                let w0 = w[row + columns.x];
                let w1 = w[row + columns.y];
                let w2 = w[row + columns.z];
                let w3 = w[row + columns.w];
                row += p.columns;
                for (var i = 0u; i < 4u; i++) {
                    let value = x[base[i] + k] * inside[i];
                    sums0[i] += value * w0;
                    sums1[i] += value * w1;
                    sums2[i] += value * w2;
                    sums3[i] += value * w3;
                }
            }
        }
    }
    for (var i = 0u; i < 4u; i++) {
        let pixel = first + i * LANES;
        if (pixel < p.pixels) {
            epilogue(sums0[i], pixel, column * 4u);
            epilogue(sums1[i], pixel, column * 4u + 4u);
            epilogue(sums2[i], pixel, column * 4u + 8u);
            epilogue(sums3[i], pixel, column * 4u + 12u);
        }
    }
}

// tile_x: [16 k, 16 x 4 pixels]
var<workgroup> tile_x: array<vec4<f32>, 256>;
// tile_w: [16 k, 16 x 4 channels]
var<workgroup> tile_w: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn conv2d_fwd_tile(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (group.x + group.z * groups.x) * 64u;
    // This thread loads k = thread % 16 of four pixels, and one vector of filters.
    let load_k = thread % 16u;
    let load_pixel = thread / 16u;
    var windows = array<vec3<i32>, 4>();
    for (var i = 0u; i < 4u; i++) {
        windows[i] = window(min(first + load_pixel * 4u + i, p.pixels - 1u));
    }
    let load_column = group.y * 16u + thread % 16u;
    let total = p.taps_y * p.taps_x * p.run;
    let pixel = thread / 16u;
    let column = thread % 16u;
    var sums = array<vec4<f32>, 4>();
    for (var i = 0u; i < 4u; i++) {
        sums[i] = vec4(0.0);
    }
    for (var base = 0u; base < total; base += 16u) {
        let k = base + load_k;
        let tap = k / p.run;
        let at = k - tap * p.run;
        var values = vec4(0.0);
        for (var i = 0u; i < 4u; i++) {
            let start = run_start(windows[i], tap / p.taps_x, tap % p.taps_x);
            if (k < total && start >= 0) {
                values[i] = x[u32(start) + at];
            }
        }
        tile_x[load_k * 16u + load_pixel] = values;
        let filter_row = base + thread / 16u;
        tile_w[thread] = vec4(0.0);
        if (filter_row < total && load_column < p.columns) {
            tile_w[thread] = w[filter_row * p.columns + load_column];
        }
        workgroupBarrier();
        for (var i = 0u; i < 16u; i++) {
            let rows = tile_x[i * 16u + pixel];
            let filters = tile_w[i * 16u + column];
            sums[0] += rows.x * filters;
            sums[1] += rows.y * filters;
            sums[2] += rows.z * filters;
            sums[3] += rows.w * filters;
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let at = first + pixel * 4u + i;
        if (at < p.pixels) {
            epilogue(sums[i], at, (group.y * 16u + column) * 4u);
        }
    }
}
