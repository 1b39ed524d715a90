//! Gradient of a fully connected layer with respect to its input.

use serde::Deserialize;

use super::{Dense, Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = dy w`. Inputs: `dy: [n, c_out]`, `w: [c_out, k]`, and `x: [n, ..]` for its extents alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DenseBwdData;

/// The output's shape of the plain layer on `x` with `w`.
pub(super) fn forward(x: &Shape, w: &Shape) -> Result<Shape, String> {
    Dense { bias: false, activation: super::Activation::None }.shape(&[x, w])
}

impl Operator for DenseBwdData {
    const STEM: &'static str = "dense_bwd_data";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "dy, w, x")?;
        exactly(inputs, 0, "dy", forward(inputs[2], inputs[1])?.dims())?;
        Ok(inputs[2].clone())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        2 * (inputs[0].elements() * inputs[1].last()) as u64
    }

    fn port(&self, i: usize) -> Port {
        [Port::Value, Port::Any, Port::Extents][i]
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (dy, w) = (inputs[0].data(), inputs[1]);
        let &[c_out, k] = w.dims() else { unreachable!("checked by shape") };
        let mut dx = Tensor::zeros(inputs[2].shape().clone());
        for (row, dy) in dx.data_mut().chunks_exact_mut(k.max(1)).zip(dy.chunks_exact(c_out.max(1))) {
            for (filter, &dy) in w.data().chunks_exact(k).zip(dy) {
                row.iter_mut().zip(filter).for_each(|(dx, &w)| *dx = *dx + dy * w);
            }
        }
        dx
    }
}
