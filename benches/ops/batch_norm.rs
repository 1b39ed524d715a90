use crate::{Bench, block35, op, w};
use warpface::ops::BatchNorm;

pub fn cases(bench: &mut Bench) {
    let inputs = vec![block35(bench), w([256]), w([256]), w([256]), w([256])];
    op(bench, "block35", BatchNorm { epsilon: 0.001 }, inputs);
}
