// FaceNet's triplet loss (Schroff et al. 2015, eq. 3).
//
//     y = mean over rows of max(|anchor - positive|^2 - |anchor - negative|^2 + margin, 0)
//
// One workgroup; thread i takes rows i, i + 64, .., and the first thread adds the partial sums in order.
// Operations: 6 an element. Bytes: each input read once. Launch: [1].

struct Params {
    rows: u32,
    d: u32,
    margin: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// anchor: [rows, d] f32
@group(0) @binding(1) var<storage, read_write> anchor: array<f32>;
// positive: [rows, d] f32
@group(0) @binding(2) var<storage, read_write> positive: array<f32>;
// negative: [rows, d] f32
@group(0) @binding(3) var<storage, read_write> negative: array<f32>;
// y: [1] f32
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn triplet_loss_fwd(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var row = thread; row < p.rows; row += 64u) {
        var near = 0.0;
        var far = 0.0;
        for (var i = row * p.d; i < (row + 1u) * p.d; i++) {
            near += (anchor[i] - positive[i]) * (anchor[i] - positive[i]);
            far += (anchor[i] - negative[i]) * (anchor[i] - negative[i]);
        }
        sum += max(near - far + p.margin, 0.0);
    }
    partial[thread] = sum;
    workgroupBarrier();
    if (thread == 0u) {
        var all = 0.0;
        for (var i = 0u; i < 64u; i++) {
            all += partial[i];
        }
        y[0] = all / f32(max(p.rows, 1u));
    }
}
