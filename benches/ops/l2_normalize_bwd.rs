use crate::{Bench, DIMENSIONS, ROWS, op_in_f32, x};
use warpface::ops::L2NormalizeBwd;

pub fn cases(bench: &mut Bench) {
    op_in_f32(
        bench,
        "90 rows, 512",
        L2NormalizeBwd { epsilon: 1e-10 },
        vec![x([ROWS, DIMENSIONS]), x([ROWS, DIMENSIONS])],
    );
}
