use crate::{Bench, op, w, x};
use warpface::ops::DenseBwdFilter;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    op(bench, "bottleneck 1792 to 512", DenseBwdFilter, vec![x([n, 1792]), x([n, 512]), w([512, 1792])]);
}
