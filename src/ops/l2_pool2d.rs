//! Euclidean norm over a sliding window (OpenFace's L2-pooling, Torch's `SpatialLPPooling` of power 2).

use serde::Deserialize;

use super::{L2Pool2dBwd, Operator, Padding, Real, Tolerance, Vjp, arity, nhwc, window};
use crate::{Shape, Tensor};

/// `y = sqrt(sum of x^2 over the window)`. Input: `x: [n, h, w, c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L2Pool2d {
    /// Extents of the window: `[y, x]`.
    pub kernel: [usize; 2],
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
}

impl Operator for L2Pool2d {
    const STEM: &'static str = "l2_pool2d";
    const STRIDED_OUTPUT: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let [n, h, w, c] = nhwc(inputs, 0, "x")?;
        let [y, x] = window::axes([h, w], self.kernel, self.stride, self.padding)?;
        Ok([n, y.out, x.out, c].into())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        (output.elements() * (2 * self.kernel[0] * self.kernel[1] + 1)) as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        // GPUs' roots are off by some last bits.
        Tolerance::new(1e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        window::reduce(inputs[0], self.kernel, self.stride, self.padding, |values| {
            values.fold(T::zero(), |sum, x| sum + x * x).sqrt()
        })
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let &L2Pool2d { kernel, stride, padding } = self;
        at.gradient(0, "dx", L2Pool2dBwd { kernel, stride, padding }, &[at.input(0), at.y(), at.dy()]);
        Ok(())
    }
}
