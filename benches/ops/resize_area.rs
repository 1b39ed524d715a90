use crate::{Bench, op_in_f32, pixels};
use warpface::ops::ResizeArea;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    let area = |side: usize, bytes: bool| ResizeArea { h: side, w: side, bytes };
    op_in_f32(bench, "pyramid 250 to 150", area(150, true), vec![pixels([1, 250, 250, 3])]);
    op_in_f32(bench, "crop 90 to 48", area(48, false), vec![pixels([n, 90, 90, 3])]);
    op_in_f32(bench, "crop 13 to 24", area(24, false), vec![pixels([n, 13, 13, 3])]);
}
