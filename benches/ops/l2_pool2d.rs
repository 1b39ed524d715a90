use crate::{Bench, op, x};
use warpface::ops::{L2Pool2d, Padding};

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    // OpenFace's inception_3b.
    let pool = L2Pool2d { kernel: [3; 2], stride: [3; 2], padding: Padding::Valid };
    op(bench, "3x3 on 12x12", pool, vec![x([n, 12, 12, 256])]);
}
