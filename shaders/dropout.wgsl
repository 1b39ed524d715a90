// Dropout, with a mask that is a function of seed, stream, step and element.
//
//     y = x / keep where the element's number of [0, 1) is less than keep, else 0
//
// One thread four elements, which one call of Philox serves. Bytes: x read once, y written once.
// Launch: [ceil(elements / 256), fold].

struct Params {
    elements: u32,
    keep: f32,
    seed_low: u32,
    seed_high: u32,
    purpose: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// step: [1] f32
@group(0) @binding(2) var<storage, read_write> step: array<f32>;
// y: [elements] f32
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The upper half of a product.
fn upper(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

// Philox4x32 with ten rounds (Salmon, Moraes, Dror, Shaw 2011): words 4 i to 4 i + 3 of a stream.
fn philox(i: u32, step: u32) -> vec4<u32> {
    var counter = vec4<u32>(i, step, 0u, p.purpose);
    var key = vec2<u32>(p.seed_low, p.seed_high);
    for (var round = 0u; round < 10u; round++) {
        counter = vec4<u32>(
            upper(0xcd9e8d57u, counter.z) ^ counter.y ^ key.x,
            0xcd9e8d57u * counter.z,
            upper(0xd2511f53u, counter.x) ^ counter.w ^ key.y,
            0xd2511f53u * counter.x,
        );
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}

@compute @workgroup_size(64)
fn dropout_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let four = id.x + id.y * groups.x * 64u;
    let words = philox(four, u32(step[0]));
    for (var i = 0u; i < 4u; i++) {
        let at = 4u * four + i;
        if (at < p.elements) {
            let kept = f32(words[i] >> 8u) * (1.0 / 16777216.0) < p.keep;
            y[at] = select(0.0, x[at] / p.keep, kept);
        }
    }
}
