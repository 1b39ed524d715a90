use crate::{Bench, CLASSES, ROWS, labels, op_in_f32, x};
use warpface::ops::SoftmaxCrossEntropyBwd;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([ROWS, CLASSES]), labels(ROWS, CLASSES), x([ROWS])];
    op_in_f32(bench, "100,000 classes", SoftmaxCrossEntropyBwd, inputs);
}
