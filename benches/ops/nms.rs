use crate::{Bench, boxes, op_in_f32};
use warpface::ops::{Nms, Overlap};

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "256 boxes, union", Nms { threshold: 0.7, overlap: Overlap::Union }, vec![boxes(256, true)]);
    op_in_f32(bench, "32 boxes, min", Nms { threshold: 0.7, overlap: Overlap::Min }, vec![boxes(32, true)]);
}
