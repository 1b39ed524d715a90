//! Gradient of the parametric rectifier with respect to its input.

use serde::Deserialize;

use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = dy where x > 0, else alpha * dy`. Inputs: `x: [.., c]`, `alpha: [c]`, `dy` like `x`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PReluBwdData;

impl Operator for PReluBwdData {
    const STEM: &'static str = "prelu_bwd_data";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "x, alpha, dy")?;
        exactly(inputs, 1, "alpha", &[inputs[0].last()])?;
        exactly(inputs, 2, "dy", inputs[0].dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        2 * output.elements() as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 1 { Port::KeepF32 } else { Port::Value }
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let [x, alpha, dy] = [0, 1, 2].map(|i| inputs[i].data());
        let pairs = x.iter().zip(dy).enumerate();
        let data = pairs.map(|(i, (&x, &dy))| if x > T::zero() { dy } else { alpha[i % alpha.len()] * dy });
        Tensor::new(inputs[0].shape().clone(), data.collect())
    }
}
