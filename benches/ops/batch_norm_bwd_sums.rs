use crate::{Bench, block35, op, w};
use warpface::ops::Activation::Relu as WithRelu;
use warpface::ops::{BatchNormBwdSums, BatchNormTrain};

pub fn cases(bench: &mut Bench) {
    let layer = BatchNormTrain { epsilon: 0.001, activation: WithRelu, scale: false };
    let inputs = vec![block35(bench), w([3, 256]), w([256]), block35(bench)];
    op(bench, "block35", BatchNormBwdSums(layer), inputs);
}
