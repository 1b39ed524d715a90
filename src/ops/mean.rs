//! The mean of all elements.

use serde::Deserialize;

use super::{MeanBwd, Operator, Port, Real, Tolerance, Vjp, arity};
use crate::{Shape, Tensor};

/// `y = sum(x) / elements`. Input: `x`, of any extents. Output `[1]`; 0 for no elements.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Mean;

impl Operator for Mean {
    const STEM: &'static str = "mean";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok([1].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        inputs[0].elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 2e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let x = inputs[0].data();
        Tensor::new([1], vec![x.iter().copied().sum::<T>() / T::of(x.len().max(1) as f64)])
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.dy(), at.input(0)];
        at.gradient(0, "dx", MeanBwd, &inputs);
        Ok(())
    }
}
