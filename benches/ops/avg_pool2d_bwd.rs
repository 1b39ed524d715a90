use crate::{Bench, op, x};
use warpface::ops::AvgPool2dBwd;
use warpface::ops::Padding::Valid;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    let pool = AvgPool2dBwd { kernel: None, stride: [1; 2], padding: Valid };
    op(bench, "AvgPool_1a", pool, vec![x([n, 1, 1, 1792]), x([n, 3, 3, 1792])]);
}
