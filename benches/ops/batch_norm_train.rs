use crate::{Bench, block35, op, w};
use warpface::ops::Activation::Relu as WithRelu;
use warpface::ops::BatchNormTrain;

pub fn cases(bench: &mut Bench) {
    let layer = BatchNormTrain { epsilon: 0.001, activation: WithRelu, scale: false };
    let inputs = vec![block35(bench), w([3, 256]), w([256])];
    op(bench, "block35", layer, inputs);
}
