//! FaceNet's triplet loss (Schroff et al. 2015, eq. 3; `facenet.triplet_loss`).

use super::{Metric, Operator, Real, arity, exactly};
use crate::{Shape, Tensor};

/// `mean over rows of max(|a - p|^2 - |a - n|^2 + margin, 0)`.
///
/// Inputs: `anchor`, `positive`, `negative`, each `[n, d]`. Output `[1]`; 0 for no rows.
#[derive(Clone, Debug, PartialEq)]
pub struct TripletLoss {
    /// By how much the negative should be farther than the positive, in squared distance.
    pub margin: f32,
}

impl Operator for TripletLoss {
    const STEM: &'static str = "triplet_loss";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "anchor, positive, negative")?;
        let &[n, d] = inputs[0].dims() else { return Err(format!("expected anchor: [n, d], got {}", inputs[0])) };
        exactly(inputs, 1, "positive", &[n, d])?;
        exactly(inputs, 2, "negative", &[n, d])?;
        Ok([1].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        6 * inputs[0].elements() as u64
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let &[n, d] = inputs[0].dims() else { unreachable!("checked by shape") };
        let row = |x: usize, i: usize| &inputs[x].data()[i * d..][..d];
        let distance = |x: usize, i: usize| Metric::Euclidean.distance(row(0, i), row(x, i));
        let losses = (0..n).map(|i| (distance(1, i) - distance(2, i) + T::of(self.margin.into())).max(T::zero()));
        Tensor::new([1], vec![losses.sum::<T>() / T::of(n.max(1) as f64)])
    }
}
