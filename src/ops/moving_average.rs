//! Exponential moving averages: of statistics, of weights.

use serde::Deserialize;

use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `average - (1 - decay) (average - value)`. Inputs: `average` and `value`, of one shape, and `finite: [1]`. Output like
/// `average`, whose memory it may take. Where `finite` is 0 the average stays as it is, whatever the value is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovingAverage {
    /// How much of the old average stays.
    pub decay: f32,
}

impl Operator for MovingAverage {
    const STEM: &'static str = "moving_average";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "average, value, finite")?;
        exactly(inputs, 1, "value", inputs[0].dims())?;
        exactly(inputs, 2, "finite", &[1])?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        3 * output.elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn in_place(&self) -> Option<usize> {
        Some(0)
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        if inputs[2].data()[0] == T::zero() {
            return inputs[0].clone();
        }
        let part = T::one() - T::of(self.decay.into());
        let pairs = inputs[0].data().iter().zip(inputs[1].data());
        Tensor::new(inputs[0].shape().clone(), pairs.map(|(&a, &x)| a - part * (a - x)).collect())
    }
}
