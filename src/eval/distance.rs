//! How far two embeddings are apart once a mean is taken away: `facenet.distance` on `embeddings - mean`.

use crate::ops::Metric;

/// The distance of `a - mean` and `b - mean`, three vectors of the same length, in f64.
pub fn centred(metric: Metric, a: &[f32], b: &[f32], mean: &[f64]) -> f64 {
    let centre = |x: &[f32]| -> Vec<f64> { x.iter().zip(mean).map(|(&x, mean)| f64::from(x) - mean).collect() };
    metric.distance(&centre(a), &centre(b))
}
