use crate::{Bench, WEIGHTS, op_in_f32, x};
use warpface::ops::IsFinite;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "23 million gradients", IsFinite, vec![x([WEIGHTS])]);
}
