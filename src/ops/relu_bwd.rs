//! Gradient of the rectifier.

use serde::Deserialize;

use super::{Operator, Real, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = dy where y > 0, else 0`. Inputs: the rectifier's output `y` and `dy`, of one shape.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ReluBwd;

impl Operator for ReluBwd {
    const STEM: &'static str = "relu_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "y, dy")?;
        exactly(inputs, 1, "dy", inputs[0].dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        output.elements() as u64
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let pairs = inputs[0].data().iter().zip(inputs[1].data());
        let data = pairs.map(|(&y, &dy)| if y > T::zero() { dy } else { T::zero() }).collect();
        Tensor::new(inputs[0].shape().clone(), data)
    }
}
