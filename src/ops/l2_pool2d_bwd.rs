//! Gradient of the Euclidean norm over a sliding window.

use serde::Deserialize;

use super::{L2Pool2d, Operator, Padding, Real, Tolerance, arity, exactly, nhwc, window};
use crate::{Shape, Tensor};

/// `dx = sum over the windows that cover the element of dy * x / y`; a window of zeros, where the norm has no gradient,
/// gives 0.
///
/// Inputs: `x: [n, h, w, c]`, the pool's output `y: [n, h_out, w_out, c]`, `dy` like `y`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L2Pool2dBwd {
    /// Extents of the window: `[y, x]`.
    pub kernel: [usize; 2],
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
}

impl Operator for L2Pool2dBwd {
    const STEM: &'static str = "l2_pool2d_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "x, y, dy")?;
        nhwc(inputs, 0, "x")?;
        let forward = L2Pool2d { kernel: self.kernel, stride: self.stride, padding: self.padding };
        let y = forward.shape(&inputs[..1])?;
        exactly(inputs, 1, "y", y.dims())?;
        exactly(inputs, 2, "dy", y.dims())?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        (3 * inputs[1].elements() * self.kernel[0] * self.kernel[1]) as u64
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let [x, y, dy] = [0, 1, 2].map(|i| inputs[i].data());
        window::gather(inputs[0].shape(), self.kernel, self.stride, self.padding, |at, covering| {
            covering.fold(T::zero(), |sum, (output, _, _)| {
                // The quotient is at most 1, however small both are.
                if y[output] > T::zero() { sum + dy[output] * (x[at] / y[output]) } else { sum }
            })
        })
    }
}
