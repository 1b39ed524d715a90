//! Scaled residual connection (Inception-ResNet, Szegedy et al. 2016, section 3.3).

use serde::Deserialize;

use super::{Operator, Real, Scale, Tolerance, Vjp, arity, exactly};
use crate::{Shape, Tensor};

/// `y = a + scale * b`. Inputs: `a` and `b` of one shape.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaledAdd {
    /// The factor of `b`.
    pub scale: f32,
}

impl Operator for ScaledAdd {
    const STEM: &'static str = "scaled_add";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "a, b")?;
        exactly(inputs, 1, "b", inputs[0].dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        2 * output.elements() as u64
    }

    fn by_image(&self, _: usize) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-7, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let scale = T::of(self.scale.into());
        let data = inputs[0].data().iter().zip(inputs[1].data()).map(|(&a, &b)| a + scale * b).collect();
        Tensor::new(inputs[0].shape().clone(), data)
    }

    fn in_place(&self) -> Option<usize> {
        Some(0)
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        at.set(0, at.dy());
        if self.scale == 1.0 {
            at.set(1, at.dy());
        } else {
            at.gradient(1, "db", Scale { factor: self.scale }, &[at.dy()]);
        }
        Ok(())
    }
}
