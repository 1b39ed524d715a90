//! The gradient of [`NormLoss`](super::NormLoss).

use serde::Deserialize;

use super::norm_loss::{norm_of_rows, powers};
use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = sign(x) (|x| + epsilon)^(p - 1) s^(1/p - 1) dy / n`, where `s = sum (|x| + epsilon)^p` of the row.
///
/// Inputs: `x: [n, d]`, `dy: [1]`. Output like `x`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormLossBwd {
    /// Which norm; 1 or more.
    pub p: f32,
    /// Added to each absolute value.
    pub epsilon: f32,
}

impl Operator for NormLossBwd {
    const STEM: &'static str = "norm_loss_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, dy")?;
        norm_of_rows(self.p, self.epsilon, inputs)?;
        exactly(inputs, 1, "dy", &[1])?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        5 * output.elements() as u64
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
        let mut dx = inputs[0].clone();
        let &[n, d] = dx.dims() else { unreachable!("checked by shape") };
        let [p, epsilon] = [self.p, self.epsilon].map(|x| T::of(x.into()));
        let dy = inputs[1].data()[0] / T::of(n as f64);
        for row in dx.data_mut().chunks_mut(d.max(1)) {
            let factor = powers(row, p, epsilon).powf(p.recip() - T::one()) * dy;
            for x in row {
                // Zero has no sign.
                let sign = if *x == T::zero() { T::zero() } else { x.signum() };
                *x = sign * (x.abs() + epsilon).powf(p - T::one()) * factor;
            }
        }
        dx
    }
}
