//! Softmax over the last axis.

use serde::Deserialize;

use super::{Operator, Real, SoftmaxBwd, Tolerance, Vjp, arity};
use crate::{Shape, Tensor};

/// `y = exp(x - max) / sum(exp(x - max))` over the last axis. Input: `x: [.., c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Softmax;

impl Softmax {
    /// One row, in place.
    pub fn row<T: Real>(row: &mut [T]) {
        let max = row.iter().copied().fold(T::neg_infinity(), T::max);
        row.iter_mut().for_each(|x| *x = (*x - max).exp());
        let sum: T = row.iter().copied().sum();
        row.iter_mut().for_each(|x| *x = *x / sum);
    }
}

impl Operator for Softmax {
    const STEM: &'static str = "softmax";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        4 * output.elements() as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        // GPUs' exponentials and roots are off by some last bits.
        Tolerance::new(1e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut y = inputs[0].clone();
        let c = y.shape().last();
        for row in y.data_mut().chunks_mut(c) {
            Softmax::row(row);
        }
        y
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.y(), at.dy()];
        at.gradient(0, "dx", SoftmaxBwd, &inputs);
        Ok(())
    }
}
