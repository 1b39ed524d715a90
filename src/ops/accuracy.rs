//! Which rows are classified as their labels say.

use serde::Deserialize;

use super::softmax_cross_entropy::logits_and_labels;
use super::{Operator, Port, Real, arity, index};
use crate::{Shape, Tensor};

/// 1 where the first largest logit is the label's, else 0: `tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32)`.
///
/// Inputs: `logits: [n, c]`, `labels: [n]`. Output `[n]`; 0 where the label is no class, or a logit not a number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Accuracy;

impl Operator for Accuracy {
    const STEM: &'static str = "accuracy";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "logits, labels")?;
        let [n, _] = logits_and_labels(inputs)?;
        Ok([n].into())
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
        let c = inputs[0].shape().last();
        let hits = inputs[0].data().chunks(c).zip(inputs[1].data()).map(|(x, &label)| {
            let largest = |label: usize| {
                let (before, rest) = x.split_at(label);
                before.iter().all(|&other| other < x[label]) && rest.iter().all(|&other| other <= x[label])
            };
            if index(label, c).is_some_and(largest) { T::one() } else { T::zero() }
        });
        Tensor::new(inputs[1].shape().clone(), hits.collect())
    }
}
