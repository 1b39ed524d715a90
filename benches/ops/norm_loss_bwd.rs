use crate::{Bench, DIMENSIONS, ROWS, one, op_in_f32, x};
use warpface::ops::NormLossBwd;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([ROWS, DIMENSIONS]), one(1.0)];
    op_in_f32(bench, "90 rows, 512", NormLossBwd { p: 1.0, epsilon: 1e-4 }, inputs);
}
