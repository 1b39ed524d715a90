use crate::{Bench, op, x};
use warpface::ops::Flatten;

pub fn cases(bench: &mut Bench) {
    let x = x([bench.batch(), 3, 3, 128]);
    op(bench, "onet 3x3x128", Flatten, vec![x]);
}
