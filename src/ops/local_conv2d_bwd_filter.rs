//! Gradient of a locally connected layer with respect to its filters.

use serde::Deserialize;

use super::local_conv2d_bwd_data::{forward, meetings};
use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// `dw[p, o, k] = sum over images of dy[p, o] * x[element k of the window of p]`, VALID.
///
/// Inputs: `x: [n, h, w, c_in]`, `dy: [n, h_out, w_out, c_out]`, and `w: [h_out, w_out, c_out, k_h, k_w, c_in]` for its
/// extents alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConv2dBwdFilter {
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
}

impl Operator for LocalConv2dBwdFilter {
    const STEM: &'static str = "local_conv2d_bwd_filter";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "x, dy, w")?;
        exactly(inputs, 1, "dy", forward(inputs[0], inputs[2], self.stride)?.dims())?;
        Ok(inputs[2].clone())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        let taps: usize = output.dims()[3..].iter().product();
        2 * (inputs[1].elements() * taps) as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 2 { Port::Extents } else { Port::Value }
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (x, dy, w) = (inputs[0], inputs[1].data(), inputs[2].shape());
        let (c_in, mut dw) = (w.last(), Tensor::zeros(w.clone()));
        meetings(x.shape(), w, self.stride, |output, pixel, filter| {
            let pairs = dw.data_mut()[filter..filter + c_in].iter_mut().zip(&x.data()[pixel..pixel + c_in]);
            pairs.for_each(|(dw, &x)| *dw = *dw + dy[output] * x);
        });
        dw
    }
}
