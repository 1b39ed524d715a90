use crate::{Bench, block35, op};
use warpface::ops::Relu;

pub fn cases(bench: &mut Bench) {
    let x = block35(bench);
    op(bench, "block35", Relu, vec![x]);
}
