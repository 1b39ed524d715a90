//! What batch normalization and its gradients share.

use super::{Operand, Tuning};
use crate::graph::Step;
use crate::ops::{Activation, BatchNormTrain};

/// Threads of a normalization: CUDA gives one four channels of four rows where the channels come in `fours`.
pub fn patches(step: &Step, fours: bool, tuning: Tuning) -> Result<[u32; 3], String> {
    let (rows, c) = (step.output.rows(), step.output.shape.last());
    tuning.threads(if fours && tuning.cuda() { rows.div_ceil(4) * (c / 4) } else { rows * c })
}

/// The layer's own inputs: x, moments, beta, and gamma or nothing.
pub fn layer(op: &BatchNormTrain, step: &Step) -> Vec<Operand> {
    let constants = [Some(1), Some(2), op.scale.then_some(3)].map(|i| Operand::constant(step, i));
    [Operand::View(step.inputs[0].clone())].into_iter().chain(constants).collect()
}

/// Bits: 1 relu, 2 gamma.
pub fn layer_flags(op: &BatchNormTrain) -> u32 {
    u32::from(op.activation == Activation::Relu) | if op.scale { 2 } else { 0 }
}
