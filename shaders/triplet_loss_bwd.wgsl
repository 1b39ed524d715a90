// The gradients of FaceNet's triplet loss.
//
//     dx = 2 dy / rows (to - from) where |anchor - positive|^2 - |anchor - negative|^2 + margin > 0, else 0;
//     negative - positive for the anchor, positive - anchor for the positive, anchor - negative for the negative
//
// One thread a row, summed from its first element on. Operations: 8 an element.
// Bytes: each input read once or, from the cache, twice; dx written once.

struct Params {
    rows: u32,
    d: u32,
    margin: f32,
    // 0 the anchor's, 1 the positive's, 2 the negative's.
    wrt: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// anchor: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> anchor: array<f32>;
// positive: [rows, d] f32
@group(0) @binding(2) var<storage, read_write> positive: array<f32>;
// negative: [rows, d] f32
@group(0) @binding(3) var<storage, read_write> negative: array<f32>;
// dy: [1] f32
@group(0) @binding(4) var<storage, read_write> dy: array<f32>;
// dx: [rows, d] f32
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn triplet_loss_bwd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = id.x + id.y * groups.x * 64u;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.d;
    var near = 0.0;
    var far = 0.0;
    for (var i = base; i < base + p.d; i++) {
        near += (anchor[i] - positive[i]) * (anchor[i] - positive[i]);
        far += (anchor[i] - negative[i]) * (anchor[i] - negative[i]);
    }
    var factor = 0.0;
    if (near - far + p.margin > 0.0) {
        factor = 2.0 * dy[0] / f32(p.rows);
    }
    for (var i = base; i < base + p.d; i++) {
        switch p.wrt {
            case 0u: {
                dx[i] = factor * (negative[i] - positive[i]);
            }
            case 1u: {
                dx[i] = factor * (positive[i] - anchor[i]);
            }
            default: {
                dx[i] = factor * (anchor[i] - negative[i]);
            }
        }
    }
}
