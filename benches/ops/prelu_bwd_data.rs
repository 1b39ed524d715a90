use crate::{Bench, block35, op, w};
use warpface::ops::PReluBwdData;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![block35(bench), w([256]), block35(bench)];
    op(bench, "block35", PReluBwdData, inputs);
}
