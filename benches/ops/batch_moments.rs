use crate::{Bench, block35, op};
use warpface::ops::BatchMoments;

pub fn cases(bench: &mut Bench) {
    let x = block35(bench);
    op(bench, "block35", BatchMoments, vec![x]);
}
