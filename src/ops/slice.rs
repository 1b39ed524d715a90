//! A stretch of channels: what undoes a concatenation.

use serde::Deserialize;

use super::{Operator, Port, Real};
use crate::{Shape, Tensor};

/// The channels of `x` that stand for the last of the tensors it was joined from.
///
/// Inputs: `x: [.., c]`, then one or more of those tensors, in their order, read for their extents alone: the channels
/// begin where those before the last end, and are as many as the last has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Slice;

impl Slice {
    /// The first channel, given the inputs' shapes.
    pub fn first(inputs: &[&Shape]) -> usize {
        inputs[1..inputs.len() - 1].iter().map(|part| part.last()).sum()
    }
}

impl Operator for Slice {
    const STEM: &'static str = "slice";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, .., part] = inputs else { return Err("expected at least two inputs (x, parts)".into()) };
        let Some(lead) = x.rank().checked_sub(1) else { return Err("expected x with an axis, got a scalar".into()) };
        let end = Slice::first(inputs) + part.last();
        if end > x.last() {
            return Err(format!("expected x with at least {end} channels, got {x}"));
        }
        let mut dims = x.dims().to_vec();
        dims[lead] = part.last();
        Ok(dims.into())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 { Port::Value } else { Port::Extents }
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let shapes: Vec<&Shape> = inputs.iter().map(|x| x.shape()).collect();
        let shape = self.shape(&shapes).expect("checked by shape");
        let (first, c, x) = (Slice::first(&shapes), shape.last(), inputs[0]);
        let rows = x.data().chunks_exact(x.shape().last().max(1));
        let data = rows.flat_map(|row| &row[first..first + c]).copied().collect();
        Tensor::new(shape, data)
    }
}
