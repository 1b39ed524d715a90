use crate::{Bench, WEIGHTS, op_in_f32, x};
use warpface::ops::L2Loss;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "23 million weights", L2Loss, vec![x([WEIGHTS])]);
}
