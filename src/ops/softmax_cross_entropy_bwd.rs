//! The gradient of [`SoftmaxCrossEntropy`](super::SoftmaxCrossEntropy).

use serde::Deserialize;

use super::softmax_cross_entropy::logits_and_labels;
use super::{Operator, Port, Real, Tolerance, arity, exactly, index};
use crate::{Shape, Tensor};

/// `dx = (softmax(x) - one_hot(label)) dy`, row by row.
///
/// Inputs: `logits: [n, c]`, `labels: [n]`, `dy: [n]`. Output like the logits: a row is not a number where its label is
/// no class.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SoftmaxCrossEntropyBwd;

impl Operator for SoftmaxCrossEntropyBwd {
    const STEM: &'static str = "softmax_cross_entropy_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "logits, labels, dy")?;
        let [n, _] = logits_and_labels(inputs)?;
        exactly(inputs, 2, "dy", &[n])?;
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
        Tolerance::new(1e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut dx = inputs[0].clone();
        let c = dx.shape().last();
        let rows = dx.data_mut().chunks_mut(c).zip(inputs[1].data()).zip(inputs[2].data());
        for ((row, &label), &dy) in rows {
            let Some(label) = index(label, c) else {
                row.fill(T::nan());
                continue;
            };
            let max = row.iter().copied().fold(T::neg_infinity(), T::max);
            row.iter_mut().for_each(|x| *x = (*x - max).exp());
            let sum: T = row.iter().copied().sum();
            for (i, x) in row.iter_mut().enumerate() {
                let hot = if i == label { T::one() } else { T::zero() };
                *x = (*x / sum - hot) * dy;
            }
        }
        dx
    }
}
