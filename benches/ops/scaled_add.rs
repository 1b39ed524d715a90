use crate::{Bench, op, x};
use warpface::ops::ScaledAdd;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    op(bench, "block17", ScaledAdd { scale: 0.1 }, vec![x([n, 8, 8, 896]), x([n, 8, 8, 896])]);
}
