use crate::{Bench, op, w};
use warpface::ops::Cast;

pub fn cases(bench: &mut Bench) {
    let x = w([bench.batch(), 10_000]);
    op(bench, "logits", Cast { keep_f32: true }, vec![x]);
}
