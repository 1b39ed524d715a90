//! Maximum over a sliding window.

use serde::Deserialize;

use super::{MaxPool2dBwd, Operator, Padding, Real, Vjp, arity, nhwc, window};
use crate::{Shape, Tensor};

/// `y = max over the window`; padding never wins. Input: `x: [n, h, w, c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool2d {
    /// Extents of the window: `[y, x]`.
    pub kernel: [usize; 2],
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
}

impl Operator for MaxPool2d {
    const STEM: &'static str = "max_pool2d";
    const STRIDED_OUTPUT: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let [n, h, w, c] = nhwc(inputs, 0, "x")?;
        let [y, x] = window::axes([h, w], self.kernel, self.stride, self.padding)?;
        Ok([n, y.out, x.out, c].into())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        (output.elements() * self.kernel[0] * self.kernel[1]) as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        window::reduce(inputs[0], self.kernel, self.stride, self.padding, |values| {
            values.fold(T::neg_infinity(), T::max)
        })
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let &MaxPool2d { kernel, stride, padding } = self;
        at.gradient(0, "dx", MaxPool2dBwd { kernel, stride, padding }, &[at.input(0), at.y(), at.dy()]);
        Ok(())
    }
}
