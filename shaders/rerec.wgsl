// Boxes made square around their centres (`rerec` of the original MTCNN).
//
//     side = max(width, height); corner = corner + extent / 2 - side / 2; corner and corner + side
//
// One thread a row, summed from its first element on. Operations: 12 a row.
// Bytes: each input read once or, from the cache, a few times; y written once.

struct Params {
    rows: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// boxes: [rows, 4] f32: x1 y1 x2 y2
@group(0) @binding(1) var<storage, read_write> boxes: array<vec4<f32>>;
// y: [rows, 4] f32
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn rerec_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let extent = boxes[row].zw - boxes[row].xy;
    let side = max(extent.x, extent.y);
    let corner = boxes[row].xy + extent * 0.5 - side * 0.5;
    y[row] = vec4(corner, corner + side);
}
