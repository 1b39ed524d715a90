//! Batch normalization in training (Ioffe & Szegedy 2015): with the batch's own statistics, and its rectifier fused.

use serde::Deserialize;

use super::{
    Activation, BatchNormBwdData, BatchNormBwdSums, Operator, Part, Port, Real, Tolerance, Vjp, arity, exactly,
};
use crate::{Shape, Tensor};

/// `y = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta)`, with the biased variance.
///
/// Inputs: `x: [.., c]`, `moments: [3, c]` as [`super::BatchMoments`] gives them, `beta: [c]`, and `gamma: [c]` if
/// `scale`. Its gradient takes the moments for those of `x`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNormTrain {
    /// Added to the variance.
    pub epsilon: f32,
    /// [`Activation::None`] or [`Activation::Relu`].
    pub activation: Activation,
    /// Whether there is a gamma; else it is 1.
    pub scale: bool,
}

/// What the layer and its gradients share: `x`, and the first inputs after it.
pub(super) struct Layer<'a, T> {
    x: &'a [T],
    moments: &'a [T],
    beta: &'a [T],
    gamma: Option<&'a [T]>,
    epsilon: T,
    c: usize,
    relu: bool,
}

impl<'a, T: Real> Layer<'a, T> {
    pub fn new(op: &BatchNormTrain, inputs: &[&'a Tensor<T>]) -> Self {
        Layer {
            x: inputs[0].data(),
            moments: inputs[1].data(),
            beta: inputs[2].data(),
            gamma: op.scale.then(|| inputs[3].data()),
            epsilon: T::of(op.epsilon.into()),
            c: inputs[2].data().len(),
            relu: op.activation == Activation::Relu,
        }
    }

    pub fn gamma(&self, c: usize) -> T {
        self.gamma.map_or(T::one(), |gamma| gamma[c])
    }

    /// The reciprocal of a channel's deviation.
    pub fn rate(&self, c: usize) -> T {
        (self.moments[self.c + c] + self.epsilon).sqrt().recip()
    }

    /// An element of the normalized input.
    pub fn normalized(&self, i: usize) -> T {
        (self.x[i] - self.moments[i % self.c]) * self.rate(i % self.c)
    }

    /// An element of the output before the activation.
    pub fn z(&self, i: usize) -> T {
        self.gamma(i % self.c) * self.normalized(i) + self.beta[i % self.c]
    }

    /// The gradient of an element of `z`, given that of the output.
    pub fn dz(&self, i: usize, dy: T) -> T {
        if self.relu && self.z(i) <= T::zero() { T::zero() } else { dy }
    }
}

impl BatchNormTrain {
    /// How many inputs there are up to `gamma`, where there is one.
    pub fn inputs(&self) -> usize {
        3 + usize::from(self.scale)
    }

    /// Checks `x` and the inputs up to `gamma`.
    pub(super) fn check(&self, inputs: &[&Shape]) -> Result<(), String> {
        if self.activation == Activation::PRelu {
            return Err("batch_norm_train takes no PReLU; follow it with one".into());
        }
        let c = inputs[0].last();
        exactly(inputs, 1, "moments", &[3, c])?;
        exactly(inputs, 2, "beta", &[c])?;
        if self.scale { exactly(inputs, 3, "gamma", &[c]) } else { Ok(()) }
    }
}

impl Operator for BatchNormTrain {
    const STEM: &'static str = "batch_norm_train";
    const STRIDED_OUTPUT: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, self.inputs(), "x, moments, beta, then gamma as the attributes say")?;
        self.check(inputs)?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        2 * output.elements() as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 { Port::Value } else { Port::KeepF32 }
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let layer = Layer::new(self, inputs);
        let data = (0..inputs[0].data().len()).map(|i| self.activation.apply(layer.z(i), None)).collect();
        Tensor::new(inputs[0].shape().clone(), data)
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let given: Vec<_> = (0..self.inputs()).map(|i| at.input(i)).collect();
        let sums = at.op("sums", BatchNormBwdSums(self.clone()), &[&given[..], &[at.dy()]].concat());
        at.gradient(0, "dx", BatchNormBwdData(self.clone()), &[&given[..], &[sums, at.dy()]].concat());
        at.gradient(2, "dbeta", Part::Row(0), &[sums]);
        if self.scale {
            at.gradient(3, "dgamma", Part::Row(1), &[sums]);
        }
        Ok(())
    }
}
