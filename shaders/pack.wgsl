// Filters to the layout of conv2d and dense, for filters that are computed rather than given: given ones are packed
// once, when they are brought to the device.
//
//     packed[k, o] = w[o, k] for o < c_out, else 0
//
// One thread an element. Bytes: w read once, packed written once. Launch: [ceil(k * columns * 4 / 64), fold].

struct Params {
    k: u32,
    c_out: u32,
    // Channels with their padding: a multiple of four.
    columns: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// w: [c_out, k] f32
@group(0) @binding(1) var<storage, read_write> w: array<f32>;
// packed: [k, columns] f32
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(64)
fn pack(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.k * p.columns) {
        return;
    }
    let k = at / p.columns;
    let o = at % p.columns;
    packed[at] = 0.0;
    if (o < p.c_out) {
        packed[at] = w[o * p.k + k];
    }
}
