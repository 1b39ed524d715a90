//! Distances between every row of one matrix and every row of another.

use super::{Operator, Real, arity};
use crate::{Shape, Tensor};

/// How far apart two embeddings are (`facenet.distance` of the original).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Sum of squared differences: 0 to 4 for unit vectors.
    SquaredEuclidean,
    /// Angle over pi: 0 to 1.
    Cosine,
}

/// `y[i, j] = distance(a[i], b[j])`. Inputs: `a: [n, d]`, `b: [m, d]`. Output `[n, m]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PairwiseDistance {
    /// The distance.
    pub metric: Metric,
}

impl Metric {
    /// The distance between two vectors of one length.
    pub fn distance<T: Real>(self, a: &[T], b: &[T]) -> T {
        let pairs = || a.iter().zip(b);
        match self {
            Metric::SquaredEuclidean => pairs().map(|(&a, &b)| (a - b) * (a - b)).sum(),
            Metric::Cosine => {
                let dot: T = pairs().map(|(&a, &b)| a * b).sum();
                let norm = |x: &[T]| x.iter().map(|&x| x * x).sum::<T>().sqrt();
                let similarity = dot / (norm(a) * norm(b));
                // Rounding may carry the similarity of parallel vectors past 1, where the angle is not a number.
                similarity.max(-T::one()).min(T::one()).acos() / T::of(std::f64::consts::PI)
            }
        }
    }
}

impl Operator for PairwiseDistance {
    const STEM: &'static str = "pairwise_distance";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 2, "a, b")?;
        match (inputs[0].dims(), inputs[1].dims()) {
            (&[n, d], &[m, e]) if d == e => Ok([n, m].into()),
            _ => Err(format!("expected a: [n, d] and b: [m, d], got {} and {}", inputs[0], inputs[1])),
        }
    }

    fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        3 * (output.elements() * inputs[0].last()) as u64
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (&[n, d], &[m, _]) = (inputs[0].dims(), inputs[1].dims()) else { unreachable!("checked by shape") };
        let row = |x: usize, i: usize| &inputs[x].data()[i * d..][..d];
        let data = (0..n * m).map(|at| self.metric.distance(row(0, at / m), row(1, at % m))).collect();
        Tensor::new([n, m], data)
    }
}
