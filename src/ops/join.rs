//! Tensors end to end in one vector, each where a device may bind it.

use serde::Deserialize;

use super::{Operator, Real};
use crate::{Shape, Tensor};

/// Parts begin at multiples of this many elements.
const ALIGN: usize = 64;

/// The inputs' values, one after the other, each beginning at a multiple of 64 elements; zeros between. Output `[n]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Join;

impl Join {
    /// Where each part of these extents begins, and how many elements there are in all.
    pub fn layout<'a>(parts: impl IntoIterator<Item = &'a Shape>) -> (Vec<usize>, usize) {
        let mut end = 0;
        let starts = parts.into_iter().map(|part| {
            let start = end;
            end += part.elements().next_multiple_of(ALIGN);
            start
        });
        (starts.collect(), end)
    }
}

impl Operator for Join {
    const STEM: &'static str = "join";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        Ok([Join::layout(inputs.iter().copied()).1].into())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (starts, end) = Join::layout(inputs.iter().map(|x| x.shape()));
        let mut y = Tensor::zeros([end]);
        for (x, start) in inputs.iter().zip(starts) {
            y.data_mut()[start..start + x.data().len()].copy_from_slice(x.data());
        }
        y
    }
}
