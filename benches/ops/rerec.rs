use crate::{Bench, boxes, op_in_f32};
use warpface::ops::Rerec;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "256 boxes", Rerec, vec![boxes(256, false)]);
}
