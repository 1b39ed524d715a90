//! FaceNet's triplet loss (Schroff et al. 2015, eq. 3; `facenet.triplet_loss`).

use serde::Deserialize;

use super::{Metric, Operator, Port, Real, Tolerance, Triplet, TripletLossBwd, Vjp, arity, exactly};
use crate::{Shape, Tensor};

/// `mean over rows of max(|a - p|^2 - |a - n|^2 + margin, 0)`.
///
/// Inputs: `anchor`, `positive`, `negative`, each `[n, d]`. Output `[1]`; 0 for no rows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TripletLoss {
    /// By how much the negative should be farther than the positive, in squared distance.
    pub margin: f32,
}

/// Checks the first three inputs.
pub(super) fn triplets(inputs: &[&Shape]) -> Result<(), String> {
    let &[n, d] = inputs[0].dims() else { return Err(format!("expected anchor: [n, d], got {}", inputs[0])) };
    exactly(inputs, 1, "positive", &[n, d])?;
    exactly(inputs, 2, "negative", &[n, d])
}

/// What the triplet of these rows, anchor, positive and negative, adds to the loss if it is above zero.
pub(super) fn active<T: Real>(rows: [&[T]; 3], margin: f32) -> T {
    let distance = |x: usize| Metric::Euclidean.distance(rows[0], rows[x]);
    distance(1) - distance(2) + T::of(margin.into())
}

impl Operator for TripletLoss {
    const STEM: &'static str = "triplet_loss";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "anchor, positive, negative")?;
        triplets(inputs)?;
        Ok([1].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        6 * inputs[0].elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-5)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let &[n, d] = inputs[0].dims() else { unreachable!("checked by shape") };
        let rows = |i: usize| [0, 1, 2].map(|x| &inputs[x].data()[i * d..][..d]);
        let losses = (0..n).map(|i| {
            let loss = active(rows(i), self.margin);
            // Not a number stays so.
            if loss <= T::zero() { T::zero() } else { loss }
        });
        Tensor::new([1], vec![losses.sum::<T>() / T::of(n.max(1) as f64)])
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        let inputs = [at.input(0), at.input(1), at.input(2), at.dy()];
        let rows =
            [(Triplet::Anchor, "d_anchor"), (Triplet::Positive, "d_positive"), (Triplet::Negative, "d_negative")];
        for (i, (wrt, name)) in rows.into_iter().enumerate() {
            at.gradient(i, name, TripletLossBwd { margin: self.margin, wrt }, &inputs);
        }
        Ok(())
    }
}
