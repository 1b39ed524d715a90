// Boxes clipped to the image, and where in a box's crop the image lies (`pad` of the original MTCNN).
//
//     y[row] = dy edy dx edx y ey x ex w h, all 1-based and inclusive
//
// One thread a row, summed from its first element on. Operations: 20 a row.
// Bytes: each input read once or, from the cache, a few times; y written once.

struct Params {
    rows: u32,
    width: f32,
    height: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// boxes: [rows, 4] f32: x1 y1 x2 y2, whole pixels
@group(0) @binding(1) var<storage, read_write> boxes: array<vec4<f32>>;
// y: [rows, 10] f32
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn box_pad_fwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let x = clip(boxes[row].x, boxes[row].z, p.width);
    let v = clip(boxes[row].y, boxes[row].w, p.height);
    let extent = boxes[row].zw - boxes[row].xy + 1.0;
    let columns = array<f32, 10>(v.x, v.y, x.x, x.y, v.z, v.w, x.z, x.w, extent.x, extent.y);
    for (var i = 0u; i < 10u; i++) {
        y[row * 10u + i] = columns[i];
    }
}

// One axis: first and last in the crop, first and last in the image.
fn clip(first: f32, last: f32, limit: f32) -> vec4<f32> {
    let extent = last - first + 1.0;
    let end = select(extent, limit - last + extent, last > limit);
    let start = select(1.0, 2.0 - first, first < 1.0);
    return vec4(start, end, max(first, 1.0), min(last, limit));
}
