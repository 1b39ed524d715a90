//! Mean over a sliding window.

use serde::Deserialize;

use super::{AvgPool2dBwd, Operator, Padding, Real, Tolerance, Vjp, arity, nhwc, window};
use crate::{Shape, Tensor};

/// `y = mean over the part of the window within the input`, as TensorFlow counts. Input: `x: [n, h, w, c]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPool2d {
    /// Extents of the window: `[y, x]`; `None` is the whole image, whatever its size.
    pub kernel: Option<[usize; 2]>,
    /// Steps of the window: `[y, x]`.
    pub stride: [usize; 2],
    /// How the window meets the border.
    pub padding: Padding,
}

impl AvgPool2d {
    /// The mean over the whole image.
    pub fn global() -> Self {
        AvgPool2d { kernel: None, stride: [1, 1], padding: Padding::Valid }
    }

    /// The window's extents on an input of `h` x `w`.
    pub fn kernel_on(&self, h: usize, w: usize) -> [usize; 2] {
        self.kernel.unwrap_or([h, w])
    }
}

impl Operator for AvgPool2d {
    const STEM: &'static str = "avg_pool2d";
    const STRIDED_OUTPUT: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        let [n, h, w, c] = nhwc(inputs, 0, "x")?;
        let [y, x] = window::axes([h, w], self.kernel_on(h, w), self.stride, self.padding)?;
        Ok([n, y.out, x.out, c].into())
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        let [_, h, w, _] = inputs[0].nhwc().unwrap_or_default();
        let [k_h, k_w] = self.kernel_on(h, w);
        (output.elements() * k_h * k_w) as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let &[_, h, w, _] = inputs[0].dims() else { unreachable!("checked by shape") };
        window::reduce(inputs[0], self.kernel_on(h, w), self.stride, self.padding, |values| {
            let (sum, count) = values.fold((T::zero(), T::zero()), |(sum, count), x| (sum + x, count + T::one()));
            sum / count
        })
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let &AvgPool2d { kernel, stride, padding } = self;
        at.gradient(0, "dx", AvgPool2dBwd { kernel, stride, padding }, &[at.dy(), at.input(0)]);
        Ok(())
    }
}
