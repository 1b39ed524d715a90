//! Boxes made square around their centre (`rerec` of the original MTCNN).

use serde::Deserialize;

use super::box_regression::{boxes, row};
use super::{Operator, Real, Tolerance, arity};
use crate::{Shape, Tensor};

/// The square of the longer side around the same centre. Input and output: `boxes: [n, 4]` (x1 y1 x2 y2, pixels).
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Rerec;

impl Rerec {
    /// One box made square.
    pub fn apply<T: Real>(&self, b: [T; 4]) -> [T; 4] {
        let (w, h, half) = (b[2] - b[0], b[3] - b[1], T::of(0.5));
        let side = w.max(h);
        let (x, y) = (b[0] + w * half - side * half, b[1] + h * half - side * half);
        [x, y, x + side, y + side]
    }
}

impl Operator for Rerec {
    const STEM: &'static str = "rerec";
    const F32_ALONE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "boxes")?;
        Ok([boxes(inputs, 0, "boxes", 4)?, 4].into())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        3 * output.elements() as u64
    }

    fn tolerance(&self) -> Tolerance {
        // Pixels.
        Tolerance::new(1e-4, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let n = inputs[0].dims()[0];
        Tensor::new([n, 4], (0..n).flat_map(|i| self.apply(row(inputs[0], i))).collect())
    }
}
