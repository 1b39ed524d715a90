use crate::{Bench, boxes, op_in_f32, x};
use warpface::ops::BoxRegression;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "256 boxes", BoxRegression { inclusive: true }, vec![boxes(256, false), x([256, 4])]);
}
