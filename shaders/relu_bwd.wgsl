// Gradient of the rectifier.
//
//     dx = dy where y > 0, else 0
//
// One thread an element. Operations: 1 an element. Bytes: each input read once, dx written once.

struct Params {
    elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// y: [elements] f32
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// dy: [elements] f32
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
// dx: [elements] f32
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn relu_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    dx[at] = select(0.0, dy[at], y[at] > 0.0);
}
