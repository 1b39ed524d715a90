//! What a fused op does to its result, last.

use serde::Deserialize;

use super::{NodeId, Real, ReluBwd, Vjp};

/// What a fused op does to its result, last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(y, 0)`.
    Relu,
    /// `max(y, 0) + alpha * min(y, 0)`, one alpha per channel, given as a further input.
    PRelu,
}

impl Activation {
    /// `y` after the activation; `alpha` is its channel's slope where the activation is [`Activation::PRelu`].
    pub fn apply<T: Real>(self, y: T, alpha: Option<T>) -> T {
        match self {
            Activation::None => y,
            Activation::Relu => y.max(T::zero()),
            Activation::PRelu => y.max(T::zero()) + alpha.unwrap_or_else(T::zero) * y.min(T::zero()),
        }
    }
}

/// The gradient before a fused activation, given the one after it.
pub(super) fn activation_vjp(activation: Activation, at: &mut Vjp) -> Result<NodeId, String> {
    match activation {
        Activation::None => Ok(at.dy()),
        Activation::Relu => Ok(at.op("dz", ReluBwd, &[at.y(), at.dy()])),
        Activation::PRelu => Err("a fused PReLU has no gradient; make it an op of its own".into()),
    }
}
