use crate::{Bench, WEIGHTS, one, op_in_f32, x};
use warpface::ops::L2LossBwd;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "23 million weights", L2LossBwd, vec![x([WEIGHTS]), one(1.0)]);
}
