use crate::{Bench, op, x};
use warpface::ops::Slice;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    op(bench, "Mixed_6a", Slice, vec![x([n, 8, 8, 896]), x([n, 8, 8, 384]), x([n, 8, 8, 256])]);
}
