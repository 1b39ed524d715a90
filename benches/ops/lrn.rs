use crate::{Bench, op, x};
use warpface::ops::Lrn;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    // As OpenFace's nn4 has them.
    let lrn = Lrn { radius: 5, bias: 1.0, alpha: 1e-4, beta: 0.75 };
    op(bench, "11 of 64 on 24x24", lrn.clone(), vec![x([n, 24, 24, 64])]);
    op(bench, "11 of 192 on 24x24", lrn, vec![x([n, 24, 24, 192])]);
}
