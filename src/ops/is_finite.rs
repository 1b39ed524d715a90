//! Whether gradients overflowed: what dynamic loss scaling asks before each step.

use serde::Deserialize;

use super::{Operator, Port, Real, arity};
use crate::{Shape, Tensor};

/// 1 if every element is finite, else 0. Input: `x`, of any extents. Output `[1]`; 1 for no elements.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct IsFinite;

impl Operator for IsFinite {
    const STEM: &'static str = "is_finite";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok([1].into())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let all = inputs[0].data().iter().all(|x| x.is_finite());
        Tensor::new([1], vec![if all { T::one() } else { T::zero() }])
    }
}
