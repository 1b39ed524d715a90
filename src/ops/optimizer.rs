//! A step of an optimizer, by TensorFlow's rules (`tf.train` 1.7) with the constants of `facenet.train`.

use serde::Deserialize;

use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// `AdagradOptimizer`, accumulators starting at 0.1.
    Adagrad,
    /// `AdadeltaOptimizer`, rho 0.9, epsilon 1e-6.
    Adadelta,
    /// `AdamOptimizer`, betas 0.9 and 0.999, epsilon 0.1. Its correction of the bias, `sqrt(1 - 0.999^t) / (1 - 0.9^t)`
    /// at step `t` from 1 on, is part of the learning rate given.
    Adam,
    /// `RMSPropOptimizer`, decay 0.9, momentum 0.9, epsilon 1; mean squares start at 1.
    RmsProp,
    /// `MomentumOptimizer`, 0.9, Nesterov's.
    Momentum,
}

impl OptimizerKind {
    /// All of them.
    pub const ALL: [OptimizerKind; 5] = [Self::Adagrad, Self::Adadelta, Self::Adam, Self::RmsProp, Self::Momentum];

    /// What each of its slots starts at, in the order of the state's rows: Adadelta's squares and squared updates,
    /// Adam's two moments, RMSProp's mean square and momentum.
    pub fn initial(self) -> &'static [f32] {
        match self {
            OptimizerKind::Adagrad => &[0.1],
            OptimizerKind::Adadelta | OptimizerKind::Adam => &[0.0, 0.0],
            OptimizerKind::RmsProp => &[1.0, 0.0],
            OptimizerKind::Momentum => &[0.0],
        }
    }
}

/// One step for a vector of weights.
///
/// Inputs: `state: [rows, p]`, `gradient: [p]`, `rates: [3]`, `finite: [1]`. Output like the state, whose memory it may
/// take. The state's rows are the weights, the slots of the kind, and with `average` the weights' moving average. Rates
/// are the learning rate, the factor of the gradient (1 over the loss scale), and the decay of the average. Where
/// `finite` is 0 the state stays as it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Which rule.
    pub kind: OptimizerKind,
    /// How many weights decay: the first ones.
    pub decayed: usize,
    /// This times the weight is added to its gradient.
    pub decay: f32,
    /// Whether the weights' moving average is kept.
    pub average: bool,
}

impl Optimizer {
    /// Rows of the state.
    pub fn rows(&self) -> usize {
        1 + self.kind.initial().len() + usize::from(self.average)
    }
}

/// The new weight and slots of one element, given its gradient.
// Inlined, so that the CPU backend's loops become vectors.
#[inline(always)]
pub(crate) fn step<T: Real>(kind: OptimizerKind, w: T, slots: [T; 2], g: T, rate: T) -> (T, [T; 2]) {
    let [a, b] = slots;
    // TensorFlow's constants are of the weights' type: 1 - 0.999 is 0.00099999 to it.
    let (one, of) = (T::one(), |x: f32| T::of(x.into()));
    match kind {
        OptimizerKind::Adagrad => {
            let a = a + g * g;
            (w - rate * g / a.sqrt(), [a, b])
        }
        OptimizerKind::Adadelta => {
            let (rho, epsilon) = (of(0.9), of(1e-6));
            let a = rho * a + (one - rho) * (g * g);
            let update = (b + epsilon).sqrt() / (a + epsilon).sqrt() * g;
            (w - rate * update, [a, rho * b + (one - rho) * (update * update)])
        }
        OptimizerKind::Adam => {
            let a = a + (g - a) * (one - of(0.9));
            let b = b + (g * g - b) * (one - of(0.999));
            (w - rate * a / (b.sqrt() + of(0.1)), [a, b])
        }
        OptimizerKind::RmsProp => {
            let a = a + (g * g - a) * (one - of(0.9));
            let b = of(0.9) * b + rate * g / (a + one).sqrt();
            (w - b, [a, b])
        }
        OptimizerKind::Momentum => {
            let a = of(0.9) * a + g;
            (w - rate * (g + of(0.9) * a), [a, b])
        }
    }
}

impl Operator for Optimizer {
    const STEM: &'static str = "optimizer";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 4, "state, gradient, rates, finite")?;
        let &[p] = inputs[1].dims() else { return Err(format!("expected gradient: [p], got {}", inputs[1])) };
        exactly(inputs, 0, "state", &[self.rows(), p])?;
        exactly(inputs, 2, "rates", &[3])?;
        exactly(inputs, 3, "finite", &[1])?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        12 * inputs[1].elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn in_place(&self) -> Option<usize> {
        Some(0)
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-7, 2e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut state = inputs[0].clone();
        if inputs[3].data()[0] == T::zero() {
            return state;
        }
        let (&[rate, factor, keep], decay) = (inputs[2].data(), T::of(self.decay.into())) else {
            unreachable!("checked by shape")
        };
        let (p, slots) = (inputs[1].data().len(), self.kind.initial().len());
        let rows = state.data_mut();
        for (i, &gradient) in inputs[1].data().iter().enumerate() {
            let w = rows[i];
            let g = factor * gradient + if i < self.decayed { decay * w } else { T::zero() };
            let mut old = [T::zero(); 2];
            (0..slots).for_each(|slot| old[slot] = rows[(1 + slot) * p + i]);
            let (w, new) = step(self.kind, w, old, g, rate);
            rows[i] = w;
            (0..slots).for_each(|slot| rows[(1 + slot) * p + i] = new[slot]);
            if self.average {
                let average = &mut rows[(1 + slots) * p + i];
                *average = *average - (T::one() - keep) * (*average - w);
            }
        }
        state
    }
}
