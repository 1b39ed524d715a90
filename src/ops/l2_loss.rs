//! Half the sum of squares (`tf.nn.l2_loss`): what weight decay adds to the loss.

use serde::Deserialize;

use super::{L2LossBwd, Operator, Port, Real, Tolerance, Vjp, arity};
use crate::{Shape, Tensor};

/// `y = sum(x^2) / 2`. Input: `x`, of any extents. Output `[1]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct L2Loss;

impl Operator for L2Loss {
    const STEM: &'static str = "l2_loss";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok([1].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        2 * inputs[0].elements() as u64
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
        // Partial sums keep the rounding of f32 small over millions of values.
        let partial = inputs[0].data().chunks(4096).map(|block| block.iter().map(|&x| x * x).sum::<T>());
        Tensor::new([1], vec![partial.sum::<T>() / T::of(2.0)])
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.input(0), at.dy()];
        at.gradient(0, "dx", L2LossBwd, &inputs);
        Ok(())
    }
}
