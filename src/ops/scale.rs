//! Multiplication by a constant.

use serde::Deserialize;

use super::{Operator, Real, Tolerance, Vjp, arity};
use crate::{Shape, Tensor};

/// `y = factor * x`. Input: `x`, any shape.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The factor.
    pub factor: f32,
}

impl Operator for Scale {
    const STEM: &'static str = "scale";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        output.elements() as u64
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let factor = T::of(self.factor.into());
        Tensor::new(inputs[0].shape().clone(), inputs[0].data().iter().map(|&x| factor * x).collect())
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        at.gradient(0, "dx", self.clone(), &[at.dy()]);
        Ok(())
    }
}
