//! Mean and variance of each channel of a batch.

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, channels};
use crate::{Shape, Tensor};

/// Rows: the mean, the biased variance, and the variance with Bessel's correction, which a running average takes.
///
/// Input: `x: [.., c]`, of `N` rows. Output `[3, c]`. The unbiased variance is `N / (N - 1)` of the biased one; of one
/// row it is the biased one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BatchMoments;

impl BatchMoments {
    /// The factor from the biased variance of `rows` rows to the unbiased one.
    pub fn correction(rows: usize) -> f64 {
        if rows > 1 { rows as f64 / (rows - 1) as f64 } else { 1.0 }
    }
}

impl Operator for BatchMoments {
    const STEM: &'static str = "batch_moments";
    const RECOMPUTABLE: bool = false;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let c = channels(inputs, 0, "x")?;
        if inputs[0].elements() == 0 {
            return Err(format!("expected x: [.., c] with at least one row, got {}", inputs[0]));
        }
        Ok([3, c].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        4 * inputs[0].elements() as u64
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (x, c) = (inputs[0].data(), inputs[0].shape().last());
        let rows = x.len() / c;
        let mean_of = |f: &dyn Fn(usize, T) -> T| {
            let mut sums = vec![T::zero(); c];
            for (i, &x) in x.iter().enumerate() {
                sums[i % c] = sums[i % c] + f(i % c, x);
            }
            sums.into_iter().map(|sum| sum / T::of(rows as f64)).collect::<Vec<T>>()
        };
        let mean = mean_of(&|_, x| x);
        let biased = mean_of(&|c, x| (x - mean[c]) * (x - mean[c]));
        let unbiased: Vec<T> = biased.iter().map(|&v| v * T::of(BatchMoments::correction(rows))).collect();
        Tensor::new([3, c], [mean, biased, unbiased].concat())
    }
}
