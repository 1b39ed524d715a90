use crate::{Bench, block35, op};
use warpface::ops::PReluBwdAlpha;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![block35(bench), block35(bench)];
    op(bench, "block35", PReluBwdAlpha, inputs);
}
