//! From the precision's own storage to f32 and back.

use serde::Deserialize;

use super::{Operator, Port, Real, Vjp, arity};
use crate::{Shape, Tensor};

/// The same values, stored as f32 in every precision, or as the precision stores values. Input: `x`, stored the other way.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cast {
    /// Whether the output is f32 in every precision.
    #[serde(rename = "exact")]
    pub keep_f32: bool,
}

impl Operator for Cast {
    const STEM: &'static str = "cast";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        inputs[0].clone()
    }

    fn port(&self, _: usize) -> Port {
        Port::Any
    }

    fn keep_f32(&self) -> bool {
        self.keep_f32
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let dy = at.dy();
        at.gradient(0, "dx", Cast { keep_f32: !self.keep_f32 }, &[dy]);
        Ok(())
    }
}
