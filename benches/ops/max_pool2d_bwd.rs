use crate::{Bench, op, x};
use warpface::ops::MaxPool2dBwd;
use warpface::ops::Padding::Valid;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    let pooled = || x([n, 38, 38, 64]);
    let pool = MaxPool2dBwd { kernel: [3; 2], stride: [2; 2], padding: Valid };
    op(bench, "MaxPool_3a 3x3 on 77x77", pool, vec![x([n, 77, 77, 64]), pooled(), pooled()]);
}
