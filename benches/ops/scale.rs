use crate::{Bench, block35, op};
use warpface::ops::Scale;

pub fn cases(bench: &mut Bench) {
    let x = block35(bench);
    op(bench, "block35", Scale { factor: 0.17 }, vec![x]);
}
