//! Rows of a matrix by their numbers (`tf.gather`).

use serde::Deserialize;

use super::{GatherRowsBwd, Operator, Port, Real, Vjp, arity, index};
use crate::{Shape, Tensor};

/// `y[i] = x[indices[i]]`.
///
/// Inputs: `x: [m, d]`, `indices: [t]`, whole numbers. Output `[t, d]`: not a number where an index is that of no row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct GatherRows;

impl Operator for GatherRows {
    const STEM: &'static str = "gather_rows";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, indices")?;
        let &[_, d] = inputs[0].dims() else { return Err(format!("expected x: [m, d], got {}", inputs[0])) };
        let &[t] = inputs[1].dims() else { return Err(format!("expected indices: [t], got {}", inputs[1])) };
        Ok([t, d].into())
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
        let &[m, d] = inputs[0].dims() else { unreachable!("checked by shape") };
        let mut y = Vec::with_capacity(inputs[1].data().len() * d);
        for &i in inputs[1].data() {
            match index(i, m) {
                Some(i) => y.extend_from_slice(&inputs[0].data()[i * d..][..d]),
                None => y.resize(y.len() + d, T::nan()),
            }
        }
        Tensor::new([inputs[1].data().len(), d], y)
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.dy(), at.input(1), at.input(0)];
        at.gradient(0, "dx", GatherRowsBwd, &inputs);
        Ok(())
    }
}
