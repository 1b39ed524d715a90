use crate::{Bench, ROWS, one, op_in_f32, x};
use warpface::ops::MeanBwd;

pub fn cases(bench: &mut Bench) {
    op_in_f32(bench, "90 losses", MeanBwd, vec![one(1.0), x([ROWS])]);
}
