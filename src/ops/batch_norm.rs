//! Batch normalization at inference (Ioffe & Szegedy 2015): the statistics are given.

use serde::Deserialize;

use super::{ChannelSum, Operator, Port, Real, Scale, Tolerance, Vjp, arity, exactly};
use crate::{Shape, Tensor};

/// `y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`.
///
/// Inputs: `x: [.., c]`, then `gamma`, `beta`, `mean`, `variance`, each `[c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
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
        if i == 0 { Port::Value } else { Port::KeepF32 }
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
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

    /// Of `x` alone: the statistics are given, and what trains gamma and beta is [`super::BatchNormTrain`].
    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        if (1..5).any(|i| at.wanted(i)) {
            return Err("batch_norm has a gradient of x alone; batch_norm_train has the others".into());
        }
        // The same factor without the mean and beta: zeros that are f32 in every precision.
        let nothing = at.op("nothing", Scale { factor: 0.0 }, &[at.dy()]);
        let zero = at.op("zero", ChannelSum, &[nothing]);
        at.gradient(0, "dx", self.clone(), &[at.dy(), at.input(1), zero, zero, at.input(4)]);
        Ok(())
    }
}
