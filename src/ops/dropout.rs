//! Dropout (Srivastava et al. 2014; `tf.nn.dropout`), with a mask that is a function of seed, step and element.

use serde::Deserialize;

use super::{Operator, Port, Real, Tolerance, Vjp, arity, exactly, text};
use crate::random::{Stream, unit};
use crate::{Shape, Tensor};

/// `y = x / keep` where the element is kept, else 0.
///
/// Inputs: `x`, of any extents, and `step: [1]`, a whole number. Output like `x`. Element `i` is kept if word `i` of the
/// [`Stream`] of the seed, the stream and the step, as a number of [0, 1), is less than `keep`: the same elements on
/// every backend.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// The part that is kept, above 0 and at most 1.
    pub keep: f32,
    /// The run's seed.
    #[serde(deserialize_with = "text::whole")]
    pub seed: u64,
    /// Which dropout of the graph it is: [`crate::random::purpose::DROPOUT`] and on.
    pub stream: u32,
}

impl Operator for Dropout {
    const STEM: &'static str = "dropout";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, step")?;
        exactly(inputs, 1, "step", &[1])?;
        if self.keep > 0.0 && self.keep <= 1.0 {
            Ok(inputs[0].clone())
        } else {
            Err(format!("expected a part to keep above 0 and at most 1, got {}", self.keep))
        }
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        output.elements() as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 { Port::Value } else { Port::KeepF32 }
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(0.0, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let step = inputs[1].data()[0].to_u64().unwrap_or(0);
        let stream = Stream::new(self.seed, self.stream, step);
        let keep = T::of(self.keep.into());
        let y = inputs[0].data().iter().enumerate().map(|(i, &x)| {
            let kept = unit(stream.word(i as u64)) < self.keep;
            if kept { x / keep } else { T::zero() }
        });
        Tensor::new(inputs[0].shape().clone(), y.collect())
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.dy(), at.input(1)];
        at.gradient(0, "dx", self.clone(), &inputs);
        Ok(())
    }
}
