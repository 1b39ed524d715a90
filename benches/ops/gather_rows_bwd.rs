use crate::{Bench, labels, op_in_f32, x};
use warpface::ops::GatherRowsBwd;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([5000, 128]), labels(5000, 1800), x([1800, 128])];
    op_in_f32(bench, "5,000 of 1,800, 128", GatherRowsBwd, inputs);
}
