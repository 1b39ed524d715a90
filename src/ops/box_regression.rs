//! Boxes moved by a network's offsets (MTCNN, Zhang et al. 2016; `bbreg` of the original).

use serde::Deserialize;

use super::{Operator, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// Each corner moves by its offset times the box's width (x) or height (y).
///
/// Inputs: `boxes: [n, 4]` (x1 y1 x2 y2, pixels), `offsets: [n, 4]` (fractions of the box). Output `[n, 4]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxRegression {
    /// Whether a box's last pixel counts into its extent (`x2 - x1 + 1`): so after R-Net and O-Net, not after P-Net.
    pub inclusive: bool,
}

impl BoxRegression {
    /// One box moved.
    pub fn apply<T: Real>(&self, b: [T; 4], offset: [T; 4]) -> [T; 4] {
        let one = if self.inclusive { T::one() } else { T::zero() };
        let extent = [b[2] - b[0] + one, b[3] - b[1] + one];
        [0, 1, 2, 3].map(|i| b[i] + offset[i] * extent[i % 2])
    }
}

/// The output's shape for `inputs` boxes, `[n, 4]` each.
pub(super) fn boxes(inputs: &[&Shape], i: usize, name: &str, columns: usize) -> Result<usize, String> {
    match inputs[i].dims() {
        &[n, c] if c == columns => Ok(n),
        _ => Err(format!("expected {name}: [n, {columns}], got {}", inputs[i])),
    }
}

/// Row `i` of an `[n, 4]` tensor.
pub(super) fn row<T: Real>(x: &Tensor<T>, i: usize) -> [T; 4] {
    std::array::from_fn(|k| x.data()[i * 4 + k])
}

impl Operator for BoxRegression {
    const STEM: &'static str = "box_regression";
    const F32_ALONE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "boxes, offsets")?;
        let n = boxes(inputs, 0, "boxes", 4)?;
        exactly(inputs, 1, "offsets", &[n, 4])?;
        Ok([n, 4].into())
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
        let data = (0..n).flat_map(|i| self.apply(row(inputs[0], i), row(inputs[1], i))).collect();
        Tensor::new([n, 4], data)
    }
}
