//! Gradient of a locally connected layer with respect to its input.

use serde::Deserialize;

use super::{Activation, LocalConv2d, Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dx[i] = sum over the windows p that cover i, and o, of dy[p, o] * w[p, o, i within the window]`, VALID.
///
/// Inputs: `dy: [n, h_out, w_out, c_out]`, `w: [h_out, w_out, c_out, k_h, k_w, c_in]`, and `x: [n, h, w, c_in]` for its
/// extents alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConv2dBwdData {
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
}

/// The output's shape of the plain layer on `x` with `w`.
pub(super) fn forward(x: &Shape, w: &Shape, stride: [usize; 2]) -> Result<Shape, String> {
    let bias = w.dims().iter().copied().take(3).collect::<Vec<_>>().into();
    LocalConv2d { stride, activation: Activation::None }.shape(&[x, w, &bias])
}

/// Calls `f(output, element of x, element of w)` for the beginnings of each stretch of channels that meet.
pub(super) fn meetings(x: &Shape, w: &Shape, stride: [usize; 2], mut f: impl FnMut(usize, usize, usize)) {
    let &[n, h, w_in, c_in] = x.dims() else { unreachable!("checked by shape") };
    let &[h_out, w_out, c_out, k_h, k_w, _] = w.dims() else { unreachable!("checked by shape") };
    let per_image = h_out * w_out * c_out;
    for output in 0..n * per_image {
        let (image, local) = (output / per_image, output % per_image);
        let (ox, oy) = (local / c_out % w_out, local / c_out / w_out);
        for ky in 0..k_h {
            for kx in 0..k_w {
                let (iy, ix) = (oy * stride[0] + ky, ox * stride[1] + kx);
                f(output, ((image * h + iy) * w_in + ix) * c_in, ((local * k_h + ky) * k_w + kx) * c_in);
            }
        }
    }
}

impl Operator for LocalConv2dBwdData {
    const STEM: &'static str = "local_conv2d_bwd_data";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "dy, w, x")?;
        exactly(inputs, 0, "dy", forward(inputs[2], inputs[1], self.stride)?.dims())?;
        Ok(inputs[2].clone())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        let taps: usize = inputs[1].dims()[3..].iter().product();
        2 * (inputs[0].elements() * taps) as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 2 { Port::Extents } else { Port::Value }
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (dy, w, x) = (inputs[0].data(), inputs[1], inputs[2].shape());
        let (c_in, mut dx) = (x.last(), Tensor::zeros(x.clone()));
        meetings(x, w.shape(), self.stride, |output, pixel, filter| {
            let pairs = dx.data_mut()[pixel..pixel + c_in].iter_mut().zip(&w.data()[filter..filter + c_in]);
            pairs.for_each(|(dx, &w)| *dx = *dx + dy[output] * w);
        });
        dx
    }
}
