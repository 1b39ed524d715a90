use crate::{Bench, op, x};
use warpface::ops::Softmax;

pub fn cases(bench: &mut Bench) {
    let x = x([bench.batch(), 70, 70, 2]);
    op(bench, "pnet", Softmax, vec![x]);
}
