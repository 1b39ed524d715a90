//! How far two embeddings are apart: `facenet.distance`.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The two distances of `facenet.distance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `|a - b|²`: 0 to 4 for unit vectors, 0 to 8 for two of them concatenated (`--flip`).
    #[default]
    Euclidean,
    /// `arccos(a·b / |a||b|) / π`: 0 to 1.
    Cosine,
}

impl Metric {
    /// The distance of `a - mean` and `b - mean`, three vectors of the same length, in f64.
    ///
    /// The cosine is clamped to [-1, 1] before the arc cosine: rounding takes it past 1 for a photograph paired with
    /// itself, where the original answers NaN. A vector of length zero, or a value that is not finite, gives NaN.
    pub fn distance(self, a: &[f32], b: &[f32], mean: &[f64]) -> f64 {
        let centred = a.iter().zip(b).zip(mean).map(|((&a, &b), &mean)| (f64::from(a) - mean, f64::from(b) - mean));
        match self {
            Metric::Euclidean => centred.map(|(a, b)| (a - b) * (a - b)).sum(),
            Metric::Cosine => {
                let (dot, aa, bb) =
                    centred.fold((0.0, 0.0, 0.0), |(dot, aa, bb), (a, b)| (dot + a * b, aa + a * a, bb + b * b));
                (dot / (f64::sqrt(aa) * f64::sqrt(bb))).clamp(-1.0, 1.0).acos() / PI
            }
        }
    }
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

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "euclidean" => Ok(Metric::Euclidean),
            "cosine" => Ok(Metric::Cosine),
            _ => Err(Error::invalid(format!("distance `{name}`"), "choose euclidean or cosine")),
        }
    }
}
