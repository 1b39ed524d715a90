//! Distances between every row of one matrix and every row of another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Operator, Real, Tolerance, arity};
use crate::{Error, Shape, Tensor};

/// How far apart two embeddings are (`facenet.distance` of the original).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// `|a - b|^2`: 0 to 4 for unit vectors, 0 to 8 for two of them joined.
    #[default]
    Euclidean,
    /// Angle over pi: 0 to 1. A vector of length zero gives NaN.
    Cosine,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Metric::Euclidean => "euclidean",
            Metric::Cosine => "cosine",
        })
    }
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "euclidean" => Ok(Metric::Euclidean),
            "cosine" => Ok(Metric::Cosine),
            _ => Err(Error::invalid(format!("distance `{name}`"), "choose euclidean or cosine")),
        }
    }
}

/// `y[i, j] = distance(a[i], b[j])`. Inputs: `a: [n, d]`, `b: [m, d]`. Output `[n, m]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairwiseDistance {
    /// The distance.
    pub metric: Metric,
}

impl Metric {
    /// The distance between two vectors of one length.
    pub fn distance<T: Real>(self, a: &[T], b: &[T]) -> T {
        let pairs = || a.iter().zip(b);
        match self {
            Metric::Euclidean => pairs().map(|(&a, &b)| (a - b) * (a - b)).sum(),
            Metric::Cosine => {
                let dot: T = pairs().map(|(&a, &b)| a * b).sum();
                let norm = |x: &[T]| x.iter().map(|&x| x * x).sum::<T>().sqrt();
                let similarity = dot / (norm(a) * norm(b));
                // Rounding may carry the similarity of parallel vectors past 1, where the angle is not a number.
                let clamped = if similarity.abs() > T::one() { similarity.signum() } else { similarity };
                clamped.acos() / T::of(std::f64::consts::PI)
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

    fn tolerance(&self) -> Tolerance {
        // The arc cosine of a rounded similarity.
        Tolerance::new(2e-6, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (&[n, d], &[m, _]) = (inputs[0].dims(), inputs[1].dims()) else { unreachable!("checked by shape") };
        let row = |x: usize, i: usize| &inputs[x].data()[i * d..][..d];
        let data = (0..n * m).map(|at| self.metric.distance(row(0, at / m), row(1, at % m))).collect();
        Tensor::new([n, m], data)
    }
}
