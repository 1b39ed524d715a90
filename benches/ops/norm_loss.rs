use crate::{Bench, DIMENSIONS, ROWS, op_in_f32, x};
use warpface::ops::NormLoss;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "90 rows, 512", NormLoss { p: 1.0, epsilon: 1e-4 }, vec![x([ROWS, DIMENSIONS])]);
}
