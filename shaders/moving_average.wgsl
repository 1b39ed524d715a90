// Exponential moving averages, in place.
//
//     average -= (1 - decay) (average - value)
//
// Nothing if `finite` is 0. One thread an element. Operations: 3 an element. Bytes: the average read and written once, the value read once.

struct Params {
    elements: u32,
    decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// value: [elements] f32
@group(0) @binding(1) var<storage, read_write> value: array<f32>;
// finite: [1] f32
@group(0) @binding(2) var<storage, read_write> finite: array<f32>;
// average: [elements] f32
@group(0) @binding(3) var<storage, read_write> average: array<f32>;

@compute @workgroup_size(64)
fn moving_average_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements || finite[0] == 0.0) {
        return;
    }
    average[at] -= (1.0 - p.decay) * (average[at] - value[at]);
}
