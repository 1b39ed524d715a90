//! Rectifier.

use serde::Deserialize;

use super::{Activation, Operator, Real, ReluBwd, Vjp, arity};
use crate::{Shape, Tensor};

/// `y = max(x, 0)`. Input: `x`, any shape.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Relu;

impl Operator for Relu {
    const STEM: &'static str = "relu";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        output.elements() as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let data = inputs[0].data().iter().map(|&x| Activation::Relu.apply(x, None)).collect();
        Tensor::new(inputs[0].shape().clone(), data)
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        at.gradient(0, "dx", ReluBwd, &[at.y(), at.dy()]);
        Ok(())
    }
}
