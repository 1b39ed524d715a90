//! Gradient of a fully connected layer with respect to its weight.

use serde::Deserialize;

use super::dense_bwd_data::forward;
use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dw = dy^T x`. Inputs: `x: [n, ..]`, `dy: [n, c_out]`, and `w: [c_out, k]` for its extents alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DenseBwdFilter;

impl Operator for DenseBwdFilter {
    const STEM: &'static str = "dense_bwd_filter";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "x, dy, w")?;
        exactly(inputs, 1, "dy", forward(inputs[0], inputs[2])?.dims())?;
        Ok(inputs[2].clone())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        2 * (inputs[1].elements() * output.last()) as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 2 { Port::Extents } else { Port::Value }
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (x, dy) = (inputs[0].data(), inputs[1].data());
        let &[c_out, k] = inputs[2].dims() else { unreachable!("checked by shape") };
        let mut dw = Tensor::zeros([c_out, k]);
        for (x, dy) in x.chunks_exact(k.max(1)).zip(dy.chunks_exact(c_out.max(1))) {
            for (filter, &dy) in dw.data_mut().chunks_exact_mut(k).zip(dy) {
                filter.iter_mut().zip(x).for_each(|(dw, &x)| *dw = *dw + dy * x);
            }
        }
        dw
    }
}
