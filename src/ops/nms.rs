//! Greedy non-maximum suppression (`nms` of the original MTCNN).

use serde::Deserialize;

use super::box_regression::boxes;
use super::{Operator, Real, arity};
use crate::{Shape, Tensor};

/// What the intersection of two boxes is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Their union: the usual intersection over union.
    Union,
    /// The smaller of the two.
    Min,
}

/// Keeps the best-scoring box, drops what overlaps it by more than the threshold, and repeats.
///
/// Input: `boxes: [n, 5]` (x1 y1 x2 y2 score; pixels, the last one counted in). Output `[n]`: the kept rows'
/// indices, best first, then -1. Of equal scores the later row counts as the better, as a stable ascending sort read
/// from its end has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nms {
    /// Boxes that overlap by more than this are dropped.
    pub threshold: f32,
    /// What the overlap is a fraction of.
    pub overlap: Overlap,
}

impl Nms {
    /// The kept rows of `boxes` (x1 y1 x2 y2 score), best first.
    pub fn pick<T: Real>(&self, boxes: &[[T; 5]]) -> Vec<usize> {
        // The threshold is a decimal fraction: read as such, it is the same number in f32 and in f64 arithmetic.
        let threshold = T::of(self.threshold.to_string().parse().unwrap_or(f64::from(self.threshold)));
        let area = |b: &[T; 5]| (b[2] - b[0] + T::one()) * (b[3] - b[1] + T::one());
        let mut order: Vec<usize> = (0..boxes.len()).collect();
        order.sort_by(|&i, &j| boxes[i][4].partial_cmp(&boxes[j][4]).unwrap_or(std::cmp::Ordering::Equal));
        let mut picked = Vec::new();
        while let Some(best) = order.pop() {
            picked.push(best);
            let (a, area_a) = (boxes[best], area(&boxes[best]));
            order.retain(|&i| {
                let b = boxes[i];
                let extent = |lo: usize, hi: usize| (a[hi].min(b[hi]) - a[lo].max(b[lo]) + T::one()).max(T::zero());
                let (shared, area_b) = (extent(0, 2) * extent(1, 3), area(&b));
                let whole = match self.overlap {
                    Overlap::Union => area_a + area_b - shared,
                    Overlap::Min => area_a.min(area_b),
                };
                shared / whole <= threshold
            });
        }
        picked
    }
}

impl Operator for Nms {
    const STEM: &'static str = "nms";
    const F32_ALONE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "boxes")?;
        Ok([boxes(inputs, 0, "boxes", 5)?].into())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        let n = output.elements() as u64;
        12 * n * n
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let rows: Vec<[T; 5]> = inputs[0].data().chunks_exact(5).map(|r| std::array::from_fn(|i| r[i])).collect();
        let mut data: Vec<T> = self.pick(&rows).into_iter().map(|i| T::of(i as f64)).collect();
        data.resize(rows.len(), T::of(-1.0));
        Tensor::new([rows.len()], data)
    }
}
