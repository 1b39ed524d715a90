//! Parametric rectifier (He et al. 2015, eq. 1).

use serde::Deserialize;

use super::{Activation, Operator, PReluBwdAlpha, PReluBwdData, Port, Real, Tolerance, Vjp, arity, exactly};
use crate::{Shape, Tensor};

/// `y = max(x, 0) + alpha * min(x, 0)`. Inputs: `x: [.., c]`, `alpha: [c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PRelu;

impl Operator for PRelu {
    const STEM: &'static str = "prelu";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "x, alpha")?;
        exactly(inputs, 1, "alpha", &[inputs[0].last()])?;
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
        Tolerance::new(1e-7, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let alpha = inputs[1].data();
        let values = inputs[0].data().iter().enumerate();
        let data = values.map(|(i, &x)| Activation::PRelu.apply(x, Some(alpha[i % alpha.len()]))).collect();
        Tensor::new(inputs[0].shape().clone(), data)
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        at.gradient(0, "dx", PReluBwdData, &[at.input(0), at.input(1), at.dy()]);
        at.gradient(1, "dalpha", PReluBwdAlpha, &[at.input(0), at.dy()]);
        Ok(())
    }
}
