// Boxes moved by a network's offsets (`bbreg` of the original MTCNN).
//
//     y[corner] = boxes[corner] + offsets[corner] * extent, the box's width for x and height for y
//
// One thread a row, summed from its first element on. Operations: 12 a row.
// Bytes: each input read once or, from the cache, a few times; y written once.

struct Params {
    rows: u32,
    // Added to the extents: 1 where a box's last pixel counts into it, else 0.
    one: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// boxes: [rows, 4] f32: x1 y1 x2 y2
@group(0) @binding(1) var<storage, read_write> boxes: array<vec4<f32>>;
// offsets: [rows, 4] f32
@group(0) @binding(2) var<storage, read_write> offsets: array<vec4<f32>>;
// y: [rows, 4] f32
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn box_regression_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let extent = boxes[row].zw - boxes[row].xy + p.one;
    y[row] = boxes[row] + offsets[row] * extent.xyxy;
}
