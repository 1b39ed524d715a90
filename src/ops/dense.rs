//! Fully connected layer.

use serde::Deserialize;

use super::{
    Activation, ChannelSum, DenseBwdData, DenseBwdFilter, Operator, Port, Real, Tolerance, Vjp, activation_vjp, arity,
    exactly,
};
use crate::{Shape, Tensor};

/// `y = act(x w^T + b)`.
///
/// Inputs: `x: [n, ..]` whose other axes are flattened to `k`, `w: [c_out, k]`, then as the attributes ask
/// `b: [c_out]` and `alpha: [c_out]`. Output `[n, c_out]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// Whether a bias is added.
    pub bias: bool,
    /// What is done last.
    pub activation: Activation,
}

impl Dense {
    /// Where the optional inputs `[b, alpha]` stand in the list of inputs.
    pub fn optional_inputs(&self) -> [Option<usize>; 2] {
        let alpha = 2 + usize::from(self.bias);
        [self.bias.then_some(2), (self.activation == Activation::PRelu).then_some(alpha)]
    }
}

impl Operator for Dense {
    const STEM: &'static str = "dense";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let optional = self.optional_inputs();
        arity(inputs, 2 + optional.iter().flatten().count(), "x, w, then b, alpha as the attributes say")?;
        let Some((&n, rest)) = inputs[0].dims().split_first() else {
            return Err("expected x: [n, ..], got a scalar".into());
        };
        let k: usize = rest.iter().product();
        let &[c_out, w_in] = inputs[1].dims() else {
            return Err(format!("expected w: [c_out, {k}], got {}", inputs[1]));
        };
        if w_in != k {
            return Err(format!("expected w: [c_out, {k}] to fit x: {}, got {}", inputs[0], inputs[1]));
        }
        for (i, name) in optional.iter().zip(["b", "alpha"]) {
            if let &Some(i) = i {
                exactly(inputs, i, name, &[c_out])?;
            }
        }
        Ok([n, c_out].into())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        2 * (output.elements() * inputs[1].last()) as u64
    }

    fn port(&self, i: usize) -> Port {
        let [b, alpha, ..] = self.optional_inputs();
        match i {
            1 => Port::Any,
            i if Some(i) == b || Some(i) == alpha => Port::KeepF32,
            _ => Port::Value,
        }
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (x, w) = (inputs[0], inputs[1]);
        let [b, alpha] = self.optional_inputs().map(|i| i.map(|i| inputs[i].data()));
        let &[c_out, k] = w.dims() else { unreachable!("checked by shape") };
        let n = x.dims()[0];
        let mut y = Tensor::zeros([n, c_out]);
        for (at, out) in y.data_mut().iter_mut().enumerate() {
            let (row, o) = (at / c_out, at % c_out);
            let products = x.data()[row * k..][..k].iter().zip(&w.data()[o * k..][..k]);
            let sum = products.fold(T::zero(), |sum, (&a, &b)| sum + a * b) + b.map_or(T::zero(), |b| b[o]);
            *out = self.activation.apply(sum, alpha.map(|a| a[o]));
        }
        y
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let dz = activation_vjp(self.activation, at)?;
        at.gradient(0, "dx", DenseBwdData, &[dz, at.input(1), at.input(0)]);
        at.gradient(1, "dw", DenseBwdFilter, &[at.input(0), dz, at.input(1)]);
        if let [Some(b), _] = self.optional_inputs() {
            at.gradient(b, "db", ChannelSum, &[dz]);
        }
        Ok(())
    }
}
