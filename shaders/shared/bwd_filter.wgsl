struct Params {
    h: u32,
    w: u32,
    c_in: u32,
    h_out: u32,
    w_out: u32,
    c_out: u32,
    k_w: u32,
    stride_y: u32,
    stride_x: u32,
    // Elements of padding before the input.
    pad_y: u32,
    pad_x: u32,
    // Elements of a window: k_h * k_w * c_in.
    k: u32,
    // n * h_out * w_out.
    pixels: u32,
    // Pixels of a chunk, and chunks.
    chunk: u32,
    chunks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [n, h, w, c_in] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// dy: [n, h_out, w_out, c_out] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// partial: [chunks, c_out, k] f32
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;
// dw: [c_out, k] f32
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;

// tile_dy: [16 pixels, 16 x 4 o]
var<workgroup> tile_dy: array<vec4<f32>, 256>;
// tile_x: [16 pixels, 16 x 4 k]
var<workgroup> tile_x: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn STEM_tile(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = thread / 16u;
    let lane = thread % 16u;
    let first_o = group.y * 64u;
    let first_k = group.x * 64u;
    var taps = array<vec3<u32>, 4>();
    for (var i = 0u; i < 4u; i++) {
        let k = first_k + lane * 4u + i;
        let place = k / p.c_in;
        taps[i] = vec3(place / p.k_w, place % p.k_w, k % p.c_in);
    }
    let begin = group.z * p.chunk;
    let end = min(begin + p.chunk, p.pixels);
    var sums = array<vec4<f32>, 4>();
    for (var base = begin; base < end; base += 16u) {
        let pixel = base + row;
        var from_dy = vec4(0.0);
        var from_x = vec4(0.0);
        if (pixel < end) {
            let line = pixel / p.w_out;
            let image = line / p.h_out;
            let top = i32((line - image * p.h_out) * p.stride_y) - i32(p.pad_y);
            let left = i32((pixel - line * p.w_out) * p.stride_x) - i32(p.pad_x);
            for (var i = 0u; i < 4u; i++) {
                let o = first_o + lane * 4u + i;
                if (o < p.c_out) {
                    from_dy[i] = dy[pixel * p.c_out + o];
                }
                let iy = top + i32(taps[i].x);
                let ix = left + i32(taps[i].y);
                let inside = iy >= 0 && iy < i32(p.h) && ix >= 0 && ix < i32(p.w);
                if (inside && first_k + lane * 4u + i < p.k) {
                    from_x[i] = x[((image * p.h + u32(iy)) * p.w + u32(ix)) * p.c_in + taps[i].z];
                }
            }
        }
        workgroupBarrier();
        tile_dy[thread] = from_dy;
        tile_x[thread] = from_x;
        workgroupBarrier();
        for (var i = 0u; i < 16u; i++) {
            let a = tile_dy[i * 16u + row];
            let b = tile_x[i * 16u + lane];
            sums[0] += a.x * b;
            sums[1] += a.y * b;
            sums[2] += a.z * b;
            sums[3] += a.w * b;
        }
    }
    for (var j = 0u; j < 4u; j++) {
        let o = first_o + row * 4u + j;
        for (var i = 0u; i < 4u; i++) {
            let k = first_k + lane * 4u + i;
            if (o < p.c_out && k < p.k) {
                partial[(group.z * p.c_out + o) * p.k + k] = sums[j][i];
            }
        }
    }
}

@compute @workgroup_size(64)
fn STEM_merge(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.c_out * p.k) {
        return;
    }
    var sum = 0.0;
    for (var chunk = 0u; chunk < p.chunks; chunk++) {
        sum += partial[chunk * p.c_out * p.k + at];
    }
    dw[at] = sum;
}
