// The gradient of half the sum of squares.
//
//     dx = x dy
//
// One thread an element. Operations: 1 an element. Bytes: x read once, dx written once.

struct Params {
    elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// x: [elements] f32
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
// dy: [1] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// dx: [elements] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn l2_loss_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    dx[at] = x[at] * dy[0];
}
