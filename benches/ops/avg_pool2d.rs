use crate::{Bench, op, x};
use warpface::ops::AvgPool2d;

pub fn cases(bench: &mut Bench) {
    let x = x([bench.batch(), 3, 3, 1792]);
    op(bench, "AvgPool_1a", AvgPool2d::global(), vec![x]);
}
