//! Gradient of the parametric rectifier with respect to its slopes.

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, channels, exactly};
use crate::{Shape, Tensor};

/// `dalpha = sum over all rows of dy * min(x, 0)`. Inputs: `x: [.., c]`, `dy` like `x`. Output `[c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PReluBwdAlpha;

impl Operator for PReluBwdAlpha {
    const STEM: &'static str = "prelu_bwd_alpha";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, dy")?;
        exactly(inputs, 1, "dy", inputs[0].dims())?;
        Ok([channels(inputs, 0, "x")?].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        2 * inputs[0].elements() as u64
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let c = inputs[0].shape().last();
        let mut sums = Tensor::zeros([c]);
        for (i, (&x, &dy)) in inputs[0].data().iter().zip(inputs[1].data()).enumerate() {
            let sum = &mut sums.data_mut()[i % c];
            *sum = *sum + dy * x.min(T::zero());
        }
        sums
    }
}
