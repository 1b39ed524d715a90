//! Cross entropy of a softmax with labels (`tf.nn.sparse_softmax_cross_entropy_with_logits`).

use serde::Deserialize;

use super::{Operator, Port, Real, SoftmaxCrossEntropyBwd, Tolerance, Vjp, arity, exactly, index};
use crate::{Shape, Tensor};

/// `y = log(sum(exp(x - max))) + max - x[label]`, a loss for each row.
///
/// Inputs: `logits: [n, c]`, `labels: [n]`, whole numbers. Output `[n]`: not a number where the label is no class.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SoftmaxCrossEntropy;

/// Checks `logits: [n, c]` and `labels: [n]`, the first two of the inputs, and gives `n` and `c`.
pub(super) fn logits_and_labels(inputs: &[&Shape]) -> Result<[usize; 2], String> {
    let &[n, c] = inputs[0].dims() else { return Err(format!("expected logits: [n, c], got {}", inputs[0])) };
    exactly(inputs, 1, "labels", &[n])?;
    if c == 0 { Err("expected logits of one class at least".into()) } else { Ok([n, c]) }
}

impl Operator for SoftmaxCrossEntropy {
    const STEM: &'static str = "softmax_cross_entropy";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "logits, labels")?;
        let [n, _] = logits_and_labels(inputs)?;
        Ok([n].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        4 * inputs[0].elements() as u64
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
        let c = inputs[0].shape().last();
        let losses = inputs[0].data().chunks(c).zip(inputs[1].data()).map(|(x, &label)| {
            let Some(label) = index(label, c) else { return T::nan() };
            let max = x.iter().copied().fold(T::neg_infinity(), T::max);
            x.iter().map(|&x| (x - max).exp()).sum::<T>().ln() + (max - x[label])
        });
        Tensor::new(inputs[1].shape().clone(), losses.collect())
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.input(0), at.input(1), at.dy()];
        at.gradient(0, "d_logits", SoftmaxCrossEntropyBwd, &inputs);
        Ok(())
    }
}
