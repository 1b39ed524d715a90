//! Batch normalization at inference (Ioffe & Szegedy 2015): the statistics are given.

use super::{Operator, Port, Real, arity, exactly};
use crate::{Shape, Tensor};

/// `y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`.
///
/// Inputs: `x: [.., c]`, then `gamma`, `beta`, `mean`, `variance`, each `[c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f32,
}

impl Operator for BatchNorm {
    const STEM: &'static str = "batch_norm";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 5, "x, gamma, beta, mean, variance")?;
        for (i, name) in ["gamma", "beta", "mean", "variance"].into_iter().enumerate() {
            exactly(inputs, i + 1, name, &[inputs[0].last()])?;
        }
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        2 * output.elements() as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 { Port::Value } else { Port::Exact }
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let [x, gamma, beta, mean, variance] = [0, 1, 2, 3, 4].map(|i| inputs[i].data());
        let c = gamma.len();
        let data = x.iter().enumerate().map(|(i, &x)| {
            let c = i % c;
            gamma[c] * (x - mean[c]) / (variance[c] + T::of(self.epsilon.into())).sqrt() + beta[c]
        });
        Tensor::new(inputs[0].shape().clone(), data.collect())
    }
}
