//! Convolution whose filters are not shared between positions (DeepFace's locally connected layers).

use serde::Deserialize;

use super::{
    Activation, LocalConv2dBwdBias, LocalConv2dBwdData, LocalConv2dBwdFilter, Operator, Padding, Port, Real, Tolerance,
    Vjp, activation_vjp, arity, exactly, nhwc, window,
};
use crate::{Shape, Tensor};

/// `y[p] = act(x[window of p] * w[p] + b[p])`, VALID.
///
/// Inputs: `x: [n, h, w, c_in]`, `w: [h_out, w_out, c_out, k_h, k_w, c_in]`, `b: [h_out, w_out, c_out]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConv2d {
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// [`Activation::None`] or [`Activation::Relu`].
    pub activation: Activation,
}

impl Operator for LocalConv2d {
    const STEM: &'static str = "local_conv2d";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "x, w, b")?;
        let [n, h, w, c_in] = nhwc(inputs, 0, "x")?;
        let &[_, _, c_out, k_h, k_w, _] = inputs[1].dims() else {
            return Err(format!("expected w: [h_out, w_out, c_out, k_h, k_w, c_in], got {}", inputs[1]));
        };
        if self.activation == Activation::PRelu {
            return Err("local_conv2d takes no PReLU; follow it with one".into());
        }
        let [y, x] = window::axes([h, w], [k_h, k_w], self.stride, Padding::Valid)?;
        exactly(inputs, 1, "w", &[y.out, x.out, c_out, k_h, k_w, c_in])?;
        exactly(inputs, 2, "b", &[y.out, x.out, c_out])?;
        Ok([n, y.out, x.out, c_out].into())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        let taps: usize = inputs[1].dims()[3..].iter().product();
        2 * (output.elements() * taps) as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 2 { Port::KeepF32 } else { Port::Value }
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (x, w, b) = (inputs[0], inputs[1], inputs[2]);
        let &[n, h, w_in, c_in] = x.dims() else { unreachable!("checked by shape") };
        let &[h_out, w_out, c_out, k_h, k_w, _] = w.dims() else { unreachable!("checked by shape") };
        let mut y = Tensor::zeros([n, h_out, w_out, c_out]);
        let per_image = h_out * w_out * c_out;
        for (at, out) in y.data_mut().iter_mut().enumerate() {
            let (image, local) = (at / per_image, at % per_image);
            let (ox, oy) = (local / c_out % w_out, local / c_out / w_out);
            let mut sum = b.data()[local];
            for ky in 0..k_h {
                for kx in 0..k_w {
                    let (iy, ix) = (oy * self.stride[0] + ky, ox * self.stride[1] + kx);
                    let pixel = &x.data()[((image * h + iy) * w_in + ix) * c_in..][..c_in];
                    let filter = &w.data()[((local * k_h + ky) * k_w + kx) * c_in..][..c_in];
                    sum = pixel.iter().zip(filter).fold(sum, |sum, (&p, &f)| sum + p * f);
                }
            }
            *out = self.activation.apply(sum, None);
        }
        y
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let stride = self.stride;
        let dz = activation_vjp(self.activation, at)?;
        at.gradient(0, "dx", LocalConv2dBwdData { stride }, &[dz, at.input(1), at.input(0)]);
        at.gradient(1, "dw", LocalConv2dBwdFilter { stride }, &[at.input(0), dz, at.input(1)]);
        at.gradient(2, "db", LocalConv2dBwdBias, &[dz]);
        Ok(())
    }
}
