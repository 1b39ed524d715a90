use crate::{Bench, DIMENSIONS, ROWS, labels, one, op_in_f32, w, x};
use warpface::ops::CenterLossBwd;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([ROWS, DIMENSIONS]), w([10_000, DIMENSIONS]), labels(ROWS, 10_000), one(1.0)];
    op_in_f32(bench, "90 rows, 10,000 classes", CenterLossBwd, inputs);
}
