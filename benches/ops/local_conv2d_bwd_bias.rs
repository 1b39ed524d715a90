use crate::{Bench, op, x};
use warpface::ops::LocalConv2dBwdBias;

pub fn cases(bench: &mut Bench) {
    let dy = x([bench.batch(), 17, 17, 16]);
    op(bench, "9x9 16 to 16", LocalConv2dBwdBias, vec![dy]);
}
