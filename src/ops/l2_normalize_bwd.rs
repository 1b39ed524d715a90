//! The gradient of [`L2Normalize`](super::L2Normalize).

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx = dy / norm - x (x . dy) / norm^3` over the last axis, `norm = sqrt(max(sum(x^2), epsilon))`; the second term is
/// not there where the sum is below `epsilon`. Inputs: `x` and `dy`, both `[.., d]`. Output like `x`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L2NormalizeBwd {
    /// The least squared norm divided by.
    pub epsilon: f32,
}

impl Operator for L2NormalizeBwd {
    const STEM: &'static str = "l2_normalize_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, dy")?;
        exactly(inputs, 1, "dy", inputs[0].dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        8 * output.elements() as u64
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let epsilon = T::of(self.epsilon.into());
        let mut dx = inputs[1].clone();
        let d = dx.shape().last();
        for (dx, x) in dx.data_mut().chunks_mut(d).zip(inputs[0].data().chunks(d)) {
            let square: T = x.iter().map(|&x| x * x).sum();
            let norm = square.max(epsilon).sqrt();
            let dot: T = x.iter().zip(dx.iter()).map(|(&x, &dy)| x * dy).sum();
            let along = if square < epsilon { T::zero() } else { dot / square };
            dx.iter_mut().zip(x).for_each(|(dx, &x)| *dx = (*dx - x * along) / norm);
        }
        dx
    }
}
