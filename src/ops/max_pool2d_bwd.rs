//! Gradient of the maximum over a sliding window.

use serde::Deserialize;

use super::{MaxPool2d, Operator, Padding, Real, Tolerance, arity, exactly, nhwc, window};
use crate::{Shape, Tensor};

/// `dx = sum of dy over the windows of which the element is the maximum`; of equal maxima the first in row-major order
/// has it all, as in TensorFlow and PyTorch.
///
/// Inputs: `x: [n, h, w, c]`, the pool's output `y: [n, h_out, w_out, c]`, `dy` like `y`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool2dBwd {
    /// Extents of the window: `[y, x]`.
    pub kernel: [usize; 2],
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
}

impl Operator for MaxPool2dBwd {
    const STEM: &'static str = "max_pool2d_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "x, y, dy")?;
        nhwc(inputs, 0, "x")?;
        let forward = MaxPool2d { kernel: self.kernel, stride: self.stride, padding: self.padding };
        let y = forward.shape(&inputs[..1])?;
        exactly(inputs, 1, "y", y.dims())?;
        exactly(inputs, 2, "dy", y.dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        (inputs[1].elements() * self.kernel[0] * self.kernel[1]) as u64
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let [x, y, dy] = [0, 1, 2].map(|i| inputs[i].data());
        let shape = inputs[0].shape();
        let &[_, h, w, c] = shape.dims() else { unreachable!("checked by shape") };
        window::gather(shape, self.kernel, self.stride, self.padding, |at, covering| {
            covering.fold(T::zero(), |sum, (output, rows, columns)| {
                let (channel, image) = (at % c, at / c / w / h);
                let mut pixels = rows.flat_map(|iy| columns.clone().map(move |ix| (image * h + iy) * w + ix));
                let first = pixels.find(|pixel| x[pixel * c + channel] == y[output]);
                if first == Some(at / c) { sum + dy[output] } else { sum }
            })
        })
    }
}
