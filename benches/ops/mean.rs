use crate::{Bench, ROWS, op_in_f32, x};
use warpface::ops::Mean;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "90 losses", Mean, vec![x([ROWS])]);
}
