use crate::{Bench, DIMENSIONS, ROWS, labels, op_in_f32, w, x};
use warpface::ops::CenterLoss;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([ROWS, DIMENSIONS]), w([10_000, DIMENSIONS]), labels(ROWS, 10_000)];
    op_in_f32(bench, "90 rows, 10,000 classes", CenterLoss, inputs);
}
