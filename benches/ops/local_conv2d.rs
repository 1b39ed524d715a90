use crate::{Bench, op, w, x};
use warpface::ops::Activation::Relu as WithRelu;
use warpface::ops::LocalConv2d;

pub fn cases(bench: &mut Bench) {
    let n = bench.batch();
    // As DeepFace has them.
    let local = LocalConv2d { stride: [1, 1], activation: WithRelu };
    op(bench, "9x9 16 to 16 on 25x25", local, vec![x([n, 25, 25, 16]), w([17, 17, 16, 9, 9, 16]), w([17, 17, 16])]);
}
