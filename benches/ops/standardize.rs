use crate::{Bench, op_in_f32, pixels};
use warpface::ops::Standardize;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    op_in_f32(bench, "fixed 160", Standardize::Fixed, vec![pixels([n, 160, 160, 3])]);
    op_in_f32(bench, "prewhiten 160", Standardize::Prewhiten, vec![pixels([n, 160, 160, 3])]);
}
