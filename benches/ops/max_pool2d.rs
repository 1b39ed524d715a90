use crate::{Bench, op, x};
use warpface::ops::Padding::{Same, Valid};
use warpface::ops::{MaxPool2d, Padding};

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    let pool = |kernel: usize, padding: Padding| MaxPool2d { kernel: [kernel; 2], stride: [2; 2], padding };
    op(bench, "pnet 2x2 on 148x148", pool(2, Same), vec![x([n, 148, 148, 10])]);
    op(bench, "onet 3x3 on 46x46", pool(3, Same), vec![x([n, 46, 46, 32])]);
    op(bench, "MaxPool_3a 3x3 on 77x77", pool(3, Valid), vec![x([n, 77, 77, 64])]);
}
