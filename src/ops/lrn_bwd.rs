//! The gradient of [`Lrn`].

use serde::Deserialize;

use super::{Lrn, Operator, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx[i] = dy[i] d[i]^-beta - 2 alpha beta x[i] * sum over the window of dy[j] x[j] d[j]^(-beta - 1)`, where
/// `d = bias + alpha * sum of x^2 over the window`. Inputs: `x` and `dy`, both `[.., c]`. Output like `x`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LrnBwd {
    /// Channels of the window on either side.
    pub radius: usize,
    /// The least that is raised to the power; above 0.
    pub bias: f32,
    /// The factor of each square; 0 at least.
    pub alpha: f32,
    /// The exponent.
    pub beta: f32,
}

impl LrnBwd {
    /// What it is the gradient of.
    fn forward(&self) -> Lrn {
        Lrn { radius: self.radius, bias: self.bias, alpha: self.alpha, beta: self.beta }
    }
}

impl Operator for LrnBwd {
    const STEM: &'static str = "lrn_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, dy")?;
        self.forward().check(inputs)?;
        exactly(inputs, 1, "dy", inputs[0].dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        let window = self.forward().window(self.radius, output.last()).len() as u64;
        (3 * window + 9) * output.elements() as u64
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(2e-6, 1e-5)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let forward = self.forward();
        let [alpha, beta] = [self.alpha, self.beta].map(|x| T::of(x.into()));
        let mut dx = inputs[1].clone();
        let c = dx.shape().last().max(1);
        for (dx, x) in dx.data_mut().chunks_mut(c).zip(inputs[0].data().chunks(c)) {
            let divisors = forward.divisors(x);
            let scaled: Vec<T> = dx.iter().zip(&divisors).map(|(&dy, d)| dy * d.powf(-beta)).collect();
            let shares: Vec<T> = scaled.iter().zip(x).zip(&divisors).map(|((&dy, &x), &d)| dy * x / d).collect();
            for (i, dx) in dx.iter_mut().enumerate() {
                let sum = shares[forward.window(i, c)].iter().fold(T::zero(), |sum, &share| sum + share);
                *dx = scaled[i] - T::of(2.0) * alpha * beta * x[i] * sum;
            }
        }
        dx
    }
}
