//! Gradient of the mean over a sliding window.

use serde::Deserialize;

use super::{AvgPool2d, Operator, Padding, Port, Real, Tolerance, arity, exactly, nhwc, window};
use crate::{Shape, Tensor};

/// `dx = sum over the windows that cover the element of dy / pixels of the window within the image`.
///
/// Inputs: `dy: [n, h_out, w_out, c]`, and `x: [n, h, w, c]` for its extents alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPool2dBwd {
    /// Extents of the window: `[y, x]`; `None` is the whole image, whatever its size.
    pub kernel: Option<[usize; 2]>,
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
}

impl AvgPool2dBwd {
    /// The window's extents on an input of `h` x `w`.
    pub fn kernel_on(&self, h: usize, w: usize) -> [usize; 2] {
        self.kernel.unwrap_or([h, w])
    }
}

impl Operator for AvgPool2dBwd {
    const STEM: &'static str = "avg_pool2d_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "dy, x")?;
        nhwc(inputs, 1, "x")?;
        let forward = AvgPool2d { kernel: self.kernel, stride: self.stride, padding: self.padding };
        exactly(inputs, 0, "dy", forward.shape(&inputs[1..])?.dims())?;
        Ok(inputs[1].clone())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        let [_, h, w, _] = output.nhwc().unwrap_or_default();
        let [k_h, k_w] = self.kernel_on(h, w);
        (inputs[0].elements() * k_h * k_w) as u64
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 { Port::Value } else { Port::Extents }
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (dy, shape) = (inputs[0], inputs[1].shape());
        let &[_, h, w, _] = shape.dims() else { unreachable!("checked by shape") };
        let kernel = self.kernel_on(h, w);
        window::gather(shape, kernel, self.stride, self.padding, |_, covering| {
            covering.fold(T::zero(), |sum, (pixel, rows, columns)| {
                sum + dy.data()[pixel] / T::of((rows.len() * columns.len()) as f64)
            })
        })
    }
}
