//! The same values under another shape.

use serde::Deserialize;

use super::{Operator, Part, Real, Vjp, arity};
use crate::{Shape, Tensor};

/// `[n, a, b, ..]` as `[n, a * b * ..]`; moves nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Flatten;

impl Operator for Flatten {
    const STEM: &'static str = "flatten";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let Some((&n, rest)) = inputs[0].dims().split_first() else {
            return Err("expected x: [n, ..], got a scalar".into());
        };
        Ok([n, rest.iter().product()].into())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let shape = self.shape(&[inputs[0].shape()]).expect("checked by shape");
        inputs[0].clone().reshape(shape)
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        at.gradient(0, "dx", Part::Like, &[at.dy(), at.input(0)]);
        Ok(())
    }
}
