//! Gradient of batch normalization with respect to its input, through its statistics too.

use serde::Deserialize;

use super::batch_norm_train::Layer;
use super::{BatchNormTrain, Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = gamma / sqrt(variance + epsilon) * (dz - sums[0] / N - xhat * sums[1] / N)` over `N` rows, with `dz` and `xhat`
/// as in [`super::BatchNormBwdSums`].
///
/// Inputs: those of the layer, then `sums: [2, c]`, then `dy` like `x`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BatchNormBwdData(pub BatchNormTrain);

impl Operator for BatchNormBwdData {
    const STEM: &'static str = "batch_norm_bwd_data";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let sums = self.0.inputs();
        arity(inputs, sums + 2, "x, moments, beta, gamma as the attributes say, sums, dy")?;
        self.0.check(inputs)?;
        exactly(inputs, sums, "sums", &[2, inputs[0].last()])?;
        exactly(inputs, sums + 1, "dy", inputs[0].dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        8 * output.elements() as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 || i == self.0.inputs() + 1 { Port::Value } else { Port::KeepF32 }
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let layer = Layer::new(&self.0, inputs);
        let [sums, dy] = [0, 1].map(|i| inputs[self.0.inputs() + i].data());
        let c = inputs[0].shape().last();
        let rows = T::of((dy.len() / c.max(1)) as f64);
        let data = dy.iter().enumerate().map(|(i, &dy)| {
            let (at, means) = (i % c, [sums[i % c] / rows, sums[c + i % c] / rows]);
            layer.gamma(at) * layer.rate(at) * (layer.dz(i, dy) - means[0] - layer.normalized(i) * means[1])
        });
        Tensor::new(inputs[0].shape().clone(), data.collect())
    }
}
