use crate::{Bench, op_in_f32, pixels};
use warpface::ops::ResizeBilinear;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "face 190 to 160", ResizeBilinear { h: 160, w: 160 }, vec![pixels([1, 190, 190, 3])]);
}
