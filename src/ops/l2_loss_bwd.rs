//! The gradient of [`L2Loss`](super::L2Loss).

use serde::Deserialize;

use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = x dy`. Inputs: `x`, of any extents, and `dy: [1]`. Output like `x`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct L2LossBwd;

impl Operator for L2LossBwd {
    const STEM: &'static str = "l2_loss_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, dy")?;
        exactly(inputs, 1, "dy", &[1])?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        output.elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let dy = inputs[1].data()[0];
        Tensor::new(inputs[0].shape().clone(), inputs[0].data().iter().map(|&x| x * dy).collect())
    }
}
