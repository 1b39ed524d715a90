use crate::{Bench, op, x};
use warpface::ops::Pad2d;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    op(bench, "1 around 12x12", Pad2d::around(1), vec![x([n, 12, 12, 256])]);
    op(bench, "1 off 14x14", Pad2d::around(-1), vec![x([n, 14, 14, 256])]);
}
