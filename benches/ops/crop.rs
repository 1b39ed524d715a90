use crate::{Bench, op_in_f32, pixels};
use warpface::ops::Crop;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "190 of 250", Crop { y: 30, x: 30, h: 190, w: 190 }, vec![pixels([1, 250, 250, 3])]);
}
