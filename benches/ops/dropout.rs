use crate::{Bench, ROWS, one, op_in_f32, x};
use warpface::ops::Dropout;

pub fn cases(bench: &mut Bench) {
    let dropout = Dropout { keep: 0.8, seed: 1, stream: 256 };
    op_in_f32(bench, "90 rows, 1792", dropout, vec![x([ROWS, 1792]), one(1.0)]);
}
