//! Gradient of a convolution with respect to its filters.

use serde::Deserialize;

use super::conv2d_bwd_data::forward;
use super::{Operator, Padding, Port, Real, Tolerance, arity, exactly, window};
use crate::{Shape, Tensor};

/// `dw[o, k] = sum over output pixels of dy[pixel, o] * x[element k of the pixel's window]`.
///
/// Inputs: `x: [n, h, w, c_in]`, `dy: [n, h_out, w_out, c_out]`, and `w: [c_out, k_h, k_w, c_in]` for its extents alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2dBwdFilter {
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
}

impl Operator for Conv2dBwdFilter {
    const STEM: &'static str = "conv2d_bwd_filter";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "x, dy, w")?;
        exactly(inputs, 1, "dy", forward(inputs[0], inputs[2], self.stride, self.padding)?.dims())?;
        Ok(inputs[2].clone())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        let taps: usize = output.dims()[1..].iter().product();
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
        let (x, dy) = (inputs[0], inputs[1].data());
        let &[n, h, w, c_in] = x.dims() else { unreachable!("checked by shape") };
        let &[c_out, k_h, k_w, _] = inputs[2].dims() else { unreachable!("checked by shape") };
        let [ay, ax] = window::axes([h, w], [k_h, k_w], self.stride, self.padding).expect("checked by shape");
        let mut dw = Tensor::zeros([c_out, k_h, k_w, c_in]);
        for (pixel, dy) in dy.chunks_exact(c_out).enumerate().take(n * ay.out * ax.out) {
            let (ox, oy, image) = (pixel % ax.out, pixel / ax.out % ay.out, pixel / ax.out / ay.out);
            for iy in ay.span(oy, h, k_h, self.stride[0]) {
                for ix in ax.span(ox, w, k_w, self.stride[1]) {
                    let (ky, kx) = (iy + ay.before - oy * self.stride[0], ix + ax.before - ox * self.stride[1]);
                    let input = &x.data()[((image * h + iy) * w + ix) * c_in..][..c_in];
                    for (o, &dy) in dy.iter().enumerate() {
                        let filter = &mut dw.data_mut()[((o * k_h + ky) * k_w + kx) * c_in..][..c_in];
                        filter.iter_mut().zip(input).for_each(|(f, &x)| *f = *f + dy * x);
                    }
                }
            }
        }
        dw
    }
}
