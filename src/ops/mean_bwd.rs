//! The gradient of [`Mean`](super::Mean).

use serde::Deserialize;

use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = dy / elements`, each. Inputs: `dy: [1]`, and `x`, of which the extents are read. Output like `x`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MeanBwd;

impl Operator for MeanBwd {
    const STEM: &'static str = "mean_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "dy, x")?;
        exactly(inputs, 0, "dy", &[1])?;
        Ok(inputs[1].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        output.elements() as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 { Port::KeepF32 } else { Port::Extents }
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let count = inputs[1].data().len();
        Tensor::new(inputs[1].shape().clone(), vec![inputs[0].data()[0] / T::of(count as f64); count])
    }
}
