//! Which part of a box lies within the image, and where in the box's own crop it goes (`pad` of the original MTCNN).

use serde::Deserialize;

use super::box_regression::{boxes, row};
use super::{Operator, Real, arity};
use crate::{Shape, Tensor};

/// Clips boxes of whole pixels, 1-based and inclusive, to an image.
///
/// Input: `boxes: [n, 4]` (x1 y1 x2 y2). Output `[n, 10]`, the original's columns: `dy edy dx edx` (rows and columns
/// of the crop that the image fills), `y ey x ex` (those of the image), `w h` (the crop's extents); 1-based, inclusive.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxPad {
    /// The image's width, in pixels.
    pub width: usize,
    /// The image's height, in pixels.
    pub height: usize,
}

impl BoxPad {
    /// One box clipped.
    pub fn apply<T: Real>(&self, b: [T; 4]) -> [T; 10] {
        let [dx, edx, x, ex, w] = clip(b[0], b[2], T::of(self.width as f64));
        let [dy, edy, y, ey, h] = clip(b[1], b[3], T::of(self.height as f64));
        [dy, edy, dx, edx, y, ey, x, ex, w, h]
    }
}

/// One axis: `[first and last in the crop, first and last in the image, extent of the crop]`.
fn clip<T: Real>(first: T, last: T, limit: T) -> [T; 5] {
    let one = T::one();
    let extent = last - first + one;
    let end = if last > limit { limit - last + extent } else { extent };
    let start = if first < one { one + one - first } else { one };
    [start, end, first.max(one), last.min(limit), extent]
}

impl Operator for BoxPad {
    const STEM: &'static str = "box_pad";
    const F32_ALONE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "boxes")?;
        Ok([boxes(inputs, 0, "boxes", 4)?, 10].into())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        output.elements() as u64
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let n = inputs[0].dims()[0];
        Tensor::new([n, 10], (0..n).flat_map(|i| self.apply(row(inputs[0], i))).collect())
    }
}
