use crate::{Bench, op_in_f32, x};
use warpface::ops::L2Normalize;

pub fn cases(bench: &mut Bench) {
    let x = x([bench.batch(), 512]);
    op_in_f32(bench, "512", L2Normalize { epsilon: 1e-10 }, vec![x]);
}
