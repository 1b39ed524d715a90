//! Two-dimensional convolution, as networks mean it (cross-correlation), with its epilogue fused.

use serde::Deserialize;

use super::{
    Activation, ChannelSum, Conv2dBwdData, Conv2dBwdFilter, Operator, Padding, Port, Real, Scale, Tolerance, Vjp,
    activation_vjp, arity, exactly, nhwc, window,
};
use crate::{Shape, Tensor};

/// `y = act(scale * (x * w + b) + residual)`.
///
/// Inputs, in order: `x: [n, h, w, c_in]`, `w: [c_out, k_h, k_w, c_in]`, then those that the attributes ask for:
/// `b: [c_out]`, `alpha: [c_out]` for [`Activation::PRelu`], `residual: [n, h_out, w_out, c_out]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
    /// Whether a bias is added.
    pub bias: bool,
    /// What is done last.
    pub activation: Activation,
    /// Scales the convolution and adds a residual (Inception-ResNet's shortcut).
    pub residual_scale: Option<f32>,
}

impl Conv2d {
    /// A convolution with a bias, stride 1, and nothing else fused.
    pub fn new(padding: Padding) -> Self {
        Conv2d { stride: [1, 1], padding, bias: true, activation: Activation::None, residual_scale: None }
    }

    /// The same with another stride, `[y, x]`.
    pub fn stride(self, stride: [usize; 2]) -> Self {
        Conv2d { stride, ..self }
    }

    /// The same followed by an activation.
    pub fn activation(self, activation: Activation) -> Self {
        Conv2d { activation, ..self }
    }

    /// The same scaled and added to a residual.
    pub fn residual(self, scale: f32) -> Self {
        Conv2d { residual_scale: Some(scale), ..self }
    }

    /// Where the optional inputs `[b, alpha, residual]` stand in the list of inputs.
    pub fn optional_inputs(&self) -> [Option<usize>; 3] {
        let mut next = 2;
        [self.bias, self.activation == Activation::PRelu, self.residual_scale.is_some()].map(|present| {
            present.then(|| {
                next += 1;
                next - 1
            })
        })
    }
}

impl Operator for Conv2d {
    const STEM: &'static str = "conv2d";
    const STRIDED_OUTPUT: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [b, alpha, residual] = self.optional_inputs();
        let count = 2 + [b, alpha, residual].iter().flatten().count();
        arity(inputs, count, "x, w, then b, alpha, residual as the attributes say")?;
        let [n, h, w, c_in] = nhwc(inputs, 0, "x")?;
        let [c_out, k_h, k_w, w_in] =
            inputs[1].nhwc().ok_or_else(|| format!("expected w: [c_out, k_h, k_w, c_in], got {}", inputs[1]))?;
        if w_in != c_in {
            return Err(format!("expected w: [c_out, k_h, k_w, {c_in}] to fit x: {}, got {}", inputs[0], inputs[1]));
        }
        let [y, x] = window::axes([h, w], [k_h, k_w], self.stride, self.padding)?;
        for (i, name) in [(b, "b"), (alpha, "alpha")] {
            if let Some(i) = i {
                exactly(inputs, i, name, &[c_out])?;
            }
        }
        let out = [n, y.out, x.out, c_out];
        if let Some(i) = residual {
            exactly(inputs, i, "residual", &out)?;
        }
        Ok(out.into())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        let taps: usize = inputs[1].dims()[1..].iter().product();
        2 * (output.elements() * taps) as u64
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
        i == 0 || self.optional_inputs()[2] == Some(i)
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (x, w) = (inputs[0], inputs[1]);
        let [b, alpha, residual] = self.optional_inputs().map(|i| i.map(|i| inputs[i].data()));
        let &[n, h, w_in, c_in] = x.dims() else { unreachable!("checked by shape") };
        let &[c_out, k_h, k_w, _] = w.dims() else { unreachable!("checked by shape") };
        let [ay, ax] = window::axes([h, w_in], [k_h, k_w], self.stride, self.padding).expect("checked by shape");
        let mut y = Tensor::zeros([n, ay.out, ax.out, c_out]);
        for (at, out) in y.data_mut().iter_mut().enumerate() {
            let (o, at_pixel) = (at % c_out, at / c_out);
            let (ox, oy, image) = (at_pixel % ax.out, at_pixel / ax.out % ay.out, at_pixel / ax.out / ay.out);
            let mut sum = T::zero();
            for iy in ay.span(oy, h, k_h, self.stride[0]) {
                for ix in ax.span(ox, w_in, k_w, self.stride[1]) {
                    let (ky, kx) = (iy + ay.before - oy * self.stride[0], ix + ax.before - ox * self.stride[1]);
                    let pixel = &x.data()[((image * h + iy) * w_in + ix) * c_in..][..c_in];
                    let filter = &w.data()[((o * k_h + ky) * k_w + kx) * c_in..][..c_in];
                    sum = pixel.iter().zip(filter).fold(sum, |sum, (&p, &f)| sum + p * f);
                }
            }
            let mut value = sum + b.map_or(T::zero(), |b| b[o]);
            if let (Some(scale), Some(residual)) = (self.residual_scale, residual) {
                value = T::of(scale.into()) * value + residual[at];
            }
            *out = self.activation.apply(value, alpha.map(|a| a[o]));
        }
        y
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let [b, _, residual] = self.optional_inputs();
        let (stride, padding) = (self.stride, self.padding);
        let mut dz = activation_vjp(self.activation, at)?;
        if let (Some(i), Some(factor)) = (residual, self.residual_scale) {
            at.set(i, dz);
            if factor != 1.0 && (0..i).any(|i| at.wanted(i)) {
                dz = at.op("dz_scaled", Scale { factor }, &[dz]);
            }
        }
        at.gradient(0, "dx", Conv2dBwdData { stride, padding }, &[dz, at.input(1), at.input(0)]);
        at.gradient(1, "dw", Conv2dBwdFilter { stride, padding }, &[at.input(0), dz, at.input(1)]);
        if let Some(b) = b {
            at.gradient(b, "db", ChannelSum, &[dz]);
        }
        Ok(())
    }
}
