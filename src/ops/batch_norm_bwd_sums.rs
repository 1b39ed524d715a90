//! Sums that the gradients of batch normalization need.

use serde::Deserialize;

use super::batch_norm_train::Layer;
use super::{BatchNormTrain, Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// Rows: `sum dz`, the gradient of beta, and `sum dz * xhat`, the gradient of gamma, over all rows of `x`; `xhat` is the
/// normalized input, and `dz` is `dy` where the activation lets it through. The layer's output is computed anew.
///
/// Inputs: those of the layer, then `dy` like `x`. Output `[2, c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BatchNormBwdSums(pub BatchNormTrain);

impl Operator for BatchNormBwdSums {
    const STEM: &'static str = "batch_norm_bwd_sums";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let dy = self.0.inputs();
        arity(inputs, dy + 1, "x, moments, beta, gamma as the attributes say, dy")?;
        self.0.check(inputs)?;
        exactly(inputs, dy, "dy", inputs[0].dims())?;
        Ok([2, inputs[0].last()].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        6 * inputs[0].elements() as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 || i == self.0.inputs() { Port::Value } else { Port::KeepF32 }
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let layer = Layer::new(&self.0, inputs);
        let c = inputs[0].shape().last();
        let mut sums = Tensor::zeros([2, c]);
        for (i, &dy) in inputs[self.0.inputs()].data().iter().enumerate() {
            let dz = layer.dz(i, dy);
            for (row, value) in [dz, dz * layer.normalized(i)].into_iter().enumerate() {
                let sum = &mut sums.data_mut()[row * c + i % c];
                *sum = *sum + value;
            }
        }
        sums
    }
}
