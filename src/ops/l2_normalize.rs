//! Division by the Euclidean norm, as `tf.nn.l2_normalize`.

use serde::Deserialize;

use super::{L2NormalizeBwd, Operator, Real, Tolerance, Vjp, arity};
use crate::{Shape, Tensor};

/// `y = x / sqrt(max(sum(x^2), epsilon))` over the last axis. Input: `x: [.., d]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L2Normalize {
    /// The least squared norm divided by; FaceNet uses 1e-10.
    pub epsilon: f32,
}

impl Operator for L2Normalize {
    const STEM: &'static str = "l2_normalize";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        3 * output.elements() as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        // GPUs' exponentials and roots are off by some last bits.
        Tolerance::new(1e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut y = inputs[0].clone();
        let d = y.shape().last();
        for row in y.data_mut().chunks_mut(d) {
            let square: T = row.iter().map(|&x| x * x).sum();
            let norm = square.max(T::of(self.epsilon.into())).sqrt();
            row.iter_mut().for_each(|x| *x = *x / norm);
        }
        y
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.input(0), at.dy()];
        at.gradient(0, "dx", L2NormalizeBwd { epsilon: self.epsilon }, &inputs);
        Ok(())
    }
}
