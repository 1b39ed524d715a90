use crate::{Bench, DIMENSIONS, ROWS, op_in_f32, x};
use warpface::ops::SoftmaxBwd;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "90 rows, 512", SoftmaxBwd, vec![x([ROWS, DIMENSIONS]), x([ROWS, DIMENSIONS])]);
}
