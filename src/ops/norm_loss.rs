//! The mean norm of rows (`train_softmax.py`'s `prelogits_norm`).

use serde::Deserialize;

use super::{NormLossBwd, Operator, Port, Real, Tolerance, Vjp, arity};
use crate::{Shape, Tensor};

/// `y = mean over rows of (sum (|x| + epsilon)^p)^(1/p)`. Input: `x: [n, d]`. Output `[1]`; 0 for no rows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormLoss {
    /// Which norm; 1 or more. The original's default is 1.
    pub p: f32,
    /// Added to each absolute value; the original's is 1e-4.
    pub epsilon: f32,
}

/// Checks the attributes and `x: [n, d]`, the first of the inputs.
pub(super) fn norm_of_rows(p: f32, epsilon: f32, inputs: &[&Shape]) -> Result<(), String> {
    if !(p.is_finite() && p >= 1.0 && epsilon > 0.0) {
        return Err(format!("expected p of 1 at least and epsilon above 0, got {p} and {epsilon}"));
    }
    if inputs[0].rank() == 2 { Ok(()) } else { Err(format!("expected x: [n, d], got {}", inputs[0])) }
}

/// `sum (|x| + epsilon)^p` of a row.
pub(super) fn powers<T: Real>(row: &[T], p: T, epsilon: T) -> T {
    row.iter().map(|x| (x.abs() + epsilon).powf(p)).sum()
}

impl Operator for NormLoss {
    const STEM: &'static str = "norm_loss";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        norm_of_rows(self.p, self.epsilon, inputs)?;
        Ok([1].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        3 * inputs[0].elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-5)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let &[n, d] = inputs[0].dims() else { unreachable!("checked by shape") };
        let [p, epsilon] = [self.p, self.epsilon].map(|x| T::of(x.into()));
        let norms = inputs[0].data().chunks(d.max(1)).map(|row| powers(row, p, epsilon).powf(p.recip()));
        Tensor::new([1], vec![norms.sum::<T>() / T::of(n.max(1) as f64)])
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.input(0), at.dy()];
        at.gradient(0, "dx", NormLossBwd { p: self.p, epsilon: self.epsilon }, &inputs);
        Ok(())
    }
}
