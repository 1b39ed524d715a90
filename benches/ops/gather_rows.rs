use crate::{Bench, labels, op_in_f32, x};
use warpface::ops::GatherRows;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "5,000 of 1,800, 128", GatherRows, vec![x([1800, 128]), labels(5000, 1800)]);
}
