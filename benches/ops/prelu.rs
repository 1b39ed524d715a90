use crate::{Bench, op, w, x};
use warpface::ops::PRelu;

pub fn cases(bench: &mut Bench) {
    let x = x([bench.batch(), 21, 21, 64]);
    op(bench, "onet conv2", PRelu, vec![x, w([64])]);
}
