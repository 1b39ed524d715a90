//! Joining tensors along their last axis.

use serde::Deserialize;

use super::{Operator, Real, Slice, Vjp};
use crate::{Shape, Tensor};

/// The inputs `[.., c_0]`, `[.., c_1]`, ... side by side: `[.., c_0 + c_1 + ...]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Concat;

impl Operator for Concat {
    const STEM: &'static str = "concat";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let Some(first) = inputs.first().filter(|first| first.rank() > 0) else {
            return Err("expected at least one input with an axis".into());
        };
        let (lead, mut dims) = (first.rank() - 1, first.dims().to_vec());
        for (i, other) in inputs.iter().enumerate().skip(1) {
            if other.rank() != first.rank() || other.dims()[..lead] != first.dims()[..lead] {
                return Err(format!(
                    "expected input {i}: {:?} with any last extent, got {other}",
                    &first.dims()[..lead]
                ));
            }
            dims[lead] += other.last();
        }
        Ok(dims.into())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn by_image(&self, _: usize) -> bool {
        true
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let shapes: Vec<&Shape> = inputs.iter().map(|x| x.shape()).collect();
        let shape = self.shape(&shapes).expect("checked by shape");
        let mut data = Vec::with_capacity(shape.elements());
        for row in 0..shape.elements() / shape.last().max(1) {
            for x in inputs {
                let c = x.shape().last();
                data.extend_from_slice(&x.data()[row * c..][..c]);
            }
        }
        Tensor::new(shape, data)
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let parts: Vec<_> = (0..at.inputs()).map(|i| at.input(i)).collect();
        for i in 0..parts.len() {
            at.gradient(i, &format!("d{i}"), Slice, &[&[at.dy()], &parts[..=i]].concat());
        }
        Ok(())
    }
}
