//! The gradients of [`TripletLoss`](super::TripletLoss).

use serde::Deserialize;

use super::triplet_loss::{active, triplets};
use super::{Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// A row of the triplet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Triplet {
    /// The row the others are compared with.
    Anchor,
    /// A row of the same person.
    Positive,
    /// A row of another.
    Negative,
}

/// Of rows whose loss is above zero, times `dy / n`: `2 (negative - positive)` for the anchor, `2 (positive - anchor)`
/// for the positive, `2 (anchor - negative)` for the negative; of the others 0.
///
/// Inputs: `anchor`, `positive`, `negative`, each `[n, d]`, and `dy: [1]`. Output `[n, d]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TripletLossBwd {
    /// By how much the negative should be farther than the positive, in squared distance.
    pub margin: f32,
    /// Whose gradient it is.
    pub wrt: Triplet,
}

impl Operator for TripletLossBwd {
    const STEM: &'static str = "triplet_loss_bwd";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 4, "anchor, positive, negative, dy")?;
        triplets(inputs)?;
        exactly(inputs, 3, "dy", &[1])?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        8 * output.elements() as u64
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
        let (from, to) = match self.wrt {
            Triplet::Anchor => (1, 2),
            Triplet::Positive => (0, 1),
            Triplet::Negative => (2, 0),
        };
        let mut dx = Tensor::zeros(inputs[0].shape().clone());
        let &[n, d] = dx.dims() else { unreachable!("checked by shape") };
        let factor = T::of(2.0) * inputs[3].data()[0] / T::of(n as f64);
        for (i, row) in dx.data_mut().chunks_mut(d.max(1)).enumerate() {
            let rows = [0, 1, 2].map(|x| &inputs[x].data()[i * d..][..d]);
            if active(rows, self.margin) > T::zero() {
                row.iter_mut().enumerate().for_each(|(j, dx)| *dx = factor * (rows[to][j] - rows[from][j]));
            }
        }
        dx
    }
}
