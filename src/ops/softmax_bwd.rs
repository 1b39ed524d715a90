//! The gradient of [`Softmax`](super::Softmax).

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = y (dy - sum(y dy))` over the last axis. Inputs: `y`, what the softmax gave, and `dy`, both `[.., c]`. Output
/// like `y`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SoftmaxBwd;

impl Operator for SoftmaxBwd {
    const STEM: &'static str = "softmax_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "y, dy")?;
        exactly(inputs, 1, "dy", inputs[0].dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        4 * output.elements() as u64
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut dx = inputs[1].clone();
        let c = dx.shape().last();
        for (dx, y) in dx.data_mut().chunks_mut(c).zip(inputs[0].data().chunks(c)) {
            let dot: T = y.iter().zip(dx.iter()).map(|(&y, &dy)| y * dy).sum();
            dx.iter_mut().zip(y).for_each(|(dx, &y)| *dx = y * (*dx - dot));
        }
        dx
    }
}
