//! The nearest rows of other people: exact hardest negatives over a whole set.

use serde::Deserialize;

use super::{Metric, Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// The `k` nearest rows of `y` whose label is another.
///
/// Inputs: `x: [m, d]`, `labels_x: [m]`, `y: [n, d]`, `labels_y: [n]`. Output `[m, 2k]`: their numbers, then their squared
/// distances, ascending, of equal ones the lower number first; -1 and infinity where there are fewer. A row whose
/// distance is not finite is not near.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearestOther {
    /// How many, 1 to [`NearestOther::MOST`].
    pub k: usize,
}

impl NearestOther {
    /// The most that a kernel keeps of each row.
    pub const MOST: usize = 16;
}

impl Operator for NearestOther {
    const STEM: &'static str = "nearest_other";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 4, "x, labels_x, y, labels_y")?;
        if !(1..=Self::MOST).contains(&self.k) {
            return Err(format!("expected 1 to {} neighbours, got {}", Self::MOST, self.k));
        }
        let &[m, d] = inputs[0].dims() else { return Err(format!("expected x: [m, d], got {}", inputs[0])) };
        let &[n] = inputs[3].dims() else { return Err(format!("expected labels_y: [n], got {}", inputs[3])) };
        if n > 1 << 24 {
            return Err(format!("expected at most {} rows of y, for an f32 counts no further, got {n}", 1 << 24));
        }
        exactly(inputs, 1, "labels_x", &[m])?;
        exactly(inputs, 2, "y", &[n, d])?;
        Ok([m, 2 * self.k].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        3 * inputs[0].elements() as u64 * inputs[3].elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let [x, labels_x, y, labels_y] = [0, 1, 2, 3].map(|i| inputs[i].data());
        let d = inputs[0].shape().last();
        let mut out = Vec::with_capacity(labels_x.len() * 2 * self.k);
        for (i, label) in labels_x.iter().enumerate() {
            let others = (0..labels_y.len()).filter(|&j| labels_y[j] != *label);
            let distance = |j: usize| Metric::Euclidean.distance(&x[i * d..][..d], &y[j * d..][..d]);
            let mut near: Vec<(T, usize)> = others.map(|j| (distance(j), j)).filter(|(d, _)| d.is_finite()).collect();
            near.sort_by(|(a, i), (b, j)| a.partial_cmp(b).expect("finite").then(i.cmp(j)));
            let rank = |i: usize| near.get(i);
            out.extend((0..self.k).map(|i| rank(i).map_or(-T::one(), |&(_, j)| T::of(j as f64))));
            out.extend((0..self.k).map(|i| rank(i).map_or(T::infinity(), |&(d, _)| d)));
        }
        Tensor::new([labels_x.len(), 2 * self.k], out)
    }
}
