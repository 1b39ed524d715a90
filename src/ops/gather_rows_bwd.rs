//! The gradient of [`GatherRows`](super::GatherRows).

use serde::Deserialize;

use super::{Operator, Port, Real, Tolerance, arity, exactly, index};
use crate::{Shape, Tensor};

/// `dx[r] = sum of dy[i] over the i with indices[i] = r`, in their order.
///
/// Inputs: `dy: [t, d]`, `indices: [t]`, and `x: [m, d]`, of which the extents are read. Output `[m, d]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct GatherRowsBwd;

impl Operator for GatherRowsBwd {
    const STEM: &'static str = "gather_rows_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "dy, indices, x")?;
        let &[_, d] = inputs[2].dims() else { return Err(format!("expected x: [m, d], got {}", inputs[2])) };
        let &[t] = inputs[1].dims() else { return Err(format!("expected indices: [t], got {}", inputs[1])) };
        exactly(inputs, 0, "dy", &[t, d])?;
        Ok(inputs[2].clone())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        inputs[0].elements() as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 2 { Port::Extents } else { Port::KeepF32 }
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut dx = Tensor::zeros(inputs[2].shape().clone());
        let &[m, d] = dx.dims() else { unreachable!("checked by shape") };
        for (dy, &i) in inputs[0].data().chunks(d.max(1)).zip(inputs[1].data()) {
            if let Some(i) = index(i, m) {
                dx.data_mut()[i * d..][..d].iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = *dx + dy);
            }
        }
        dx
    }
}
