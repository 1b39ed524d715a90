use crate::{Bench, CLASSES, ROWS, labels, op_in_f32, x};
use warpface::ops::SoftmaxCrossEntropy;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![x([ROWS, CLASSES]), labels(ROWS, CLASSES)];
    op_in_f32(bench, "100,000 classes", SoftmaxCrossEntropy, inputs);
}
