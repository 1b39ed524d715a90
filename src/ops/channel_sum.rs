//! Sums over everything but channels: the gradient of a bias.

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, channels};
use crate::{Shape, Tensor};

/// `y[c] = sum over all rows of x[.., c]`. Input: `x: [.., c]`. Output `[c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ChannelSum;

impl Operator for ChannelSum {
    const STEM: &'static str = "channel_sum";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok([channels(inputs, 0, "x")?].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        inputs[0].elements() as u64
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let c = inputs[0].shape().last();
        let mut sums = Tensor::zeros([c]);
        for (i, &x) in inputs[0].data().iter().enumerate() {
            let sum = &mut sums.data_mut()[i % c];
            *sum = *sum + x;
        }
        sums
    }
}
