use crate::{Bench, op, w, x};
use warpface::ops::DenseBwdData;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    op(bench, "bottleneck 1792 to 512", DenseBwdData, vec![x([n, 512]), w([512, 1792]), x([n, 1792])]);
}
