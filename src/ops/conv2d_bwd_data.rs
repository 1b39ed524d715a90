//! Gradient of a convolution with respect to its input.

use serde::Deserialize;

use super::{Conv2d, Operator, Padding, Port, Real, Tolerance, arity, exactly, window};
use crate::{Shape, Tensor};

/// `dx[i] = sum over the windows that cover i, and o, of dy[window, o] * w[o, i within the window]`.
///
/// Inputs: `dy: [n, h_out, w_out, c_out]`, `w: [c_out, k_h, k_w, c_in]`, and `x: [n, h, w, c_in]` for its extents alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2dBwdData {
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
}

/// The output's shape of the plain convolution of `x` with `w`.
pub(super) fn forward(x: &Shape, w: &Shape, stride: [usize; 2], padding: Padding) -> Result<Shape, String> {
    Conv2d { bias: false, ..Conv2d::new(padding).stride(stride) }.shape(&[x, w])
}

impl Operator for Conv2dBwdData {
    const STEM: &'static str = "conv2d_bwd_data";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "dy, w, x")?;
        exactly(inputs, 0, "dy", forward(inputs[2], inputs[1], self.stride, self.padding)?.dims())?;
        Ok(inputs[2].clone())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        let taps: usize = inputs[1].dims()[1..].iter().product();
        2 * (inputs[0].elements() * taps) as u64
    }

    fn port(&self, i: usize) -> Port {
        [Port::Value, Port::Any, Port::Extents][i]
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::SUMS
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (dy, w, x) = (inputs[0].data(), inputs[1], inputs[2].shape());
        let &[n, h, w_in, c_in] = x.dims() else { unreachable!("checked by shape") };
        let &[c_out, k_h, k_w, _] = w.dims() else { unreachable!("checked by shape") };
        let [ay, ax] = window::axes([h, w_in], [k_h, k_w], self.stride, self.padding).expect("checked by shape");
        let mut dx = Tensor::zeros([n, h, w_in, c_in]);
        for (pixel, out) in dx.data_mut().chunks_exact_mut(c_in).enumerate() {
            let (ix, iy, image) = (pixel % w_in, pixel / w_in % h, pixel / w_in / h);
            for oy in ay.covering(iy, k_h, self.stride[0]) {
                for ox in ax.covering(ix, k_w, self.stride[1]) {
                    let (ky, kx) = (iy + ay.before - oy * self.stride[0], ix + ax.before - ox * self.stride[1]);
                    for o in 0..c_out {
                        let dy = dy[((image * ay.out + oy) * ax.out + ox) * c_out + o];
                        let filter = &w.data()[((o * k_h + ky) * k_w + kx) * c_in..][..c_in];
                        out.iter_mut().zip(filter).for_each(|(out, &f)| *out = *out + dy * f);
                    }
                }
            }
        }
        dx
    }
}
