use crate::{Bench, boxes, op_in_f32};
use warpface::ops::BoxPad;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "256 boxes", BoxPad { width: 250, height: 250 }, vec![boxes(256, false)]);
}
