// The gradient of the mean of all elements.
//
//     dx = dy / elements, each
//
// One thread an element. Bytes: dx written once.

struct Params {
    elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// dy: [1] f32
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
// dx: [elements] f32
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn mean_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= p.elements) {
        return;
    }
    dx[at] = dy[0] / f32(p.elements);
}
