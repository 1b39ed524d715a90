use crate::{Bench, op, x};
use warpface::ops::Concat;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    op(bench, "Mixed_6a", Concat, vec![x([n, 8, 8, 384]), x([n, 8, 8, 256]), x([n, 8, 8, 256])]);
}
