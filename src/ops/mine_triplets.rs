//! The choice of negatives within a batch (Schroff et al. 2015, section 3.2; `train_tripletloss.select_triplets`).

use serde::Deserialize;

use super::{Operator, Port, Real, arity, exactly, text};
use crate::random::{Stream, purpose};
use crate::{Shape, Tensor};

/// Which negatives come into question for an anchor `a` and a positive `p`, and which of them is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mining {
    /// Any of all negatives.
    Random,
    /// Any that is farther than the positive, but by less than the margin: `d(a, p) < d(a, n) < d(a, p) + margin`.
    SemiHard,
    /// The nearest, if it is within the margin: `d(a, n) - d(a, p) < margin`.
    Hard,
    /// Any within the margin, nearer than the positive or not: what the original runs.
    Vgg,
}

/// A negative for each pair of one person.
///
/// Inputs: `distances: [m, m]`, squared, `labels: [m]`, `step: [1]`. Output `[m, m]`: at `(a, p)` with `a < p` and equal
/// labels the chosen negative's number, -1 if none comes into question; elsewhere -1. Among several each is equally
/// likely; word `a m + p` of the [`Stream`] of seed and step decides. Of equally near ones the first is the nearest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MineTriplets {
    /// Which negatives.
    pub mode: Mining,
    /// The loss's margin.
    pub margin: f32,
    /// The run's seed.
    #[serde(deserialize_with = "text::whole")]
    pub seed: u64,
}

impl Operator for MineTriplets {
    const STEM: &'static str = "mine_triplets";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 3, "distances, labels, step")?;
        let &[m] = inputs[1].dims() else { return Err(format!("expected labels: [m], got {}", inputs[1])) };
        exactly(inputs, 0, "distances", &[m, m])?;
        exactly(inputs, 2, "step", &[1])?;
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        2 * output.elements() as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (labels, margin) = (inputs[1].data(), T::of(self.margin.into()));
        let m = labels.len();
        let stream = Stream::new(self.seed, purpose::MINING, inputs[2].data()[0].to_u64().unwrap_or(0));
        let choose = |a: usize, p: usize| {
            let row = &inputs[0].data()[a * m..][..m];
            let fits = |n: usize| {
                let beyond = row[n] - row[p];
                match self.mode {
                    Mining::Random => true,
                    Mining::SemiHard => beyond > T::zero() && beyond < margin,
                    Mining::Hard | Mining::Vgg => beyond < margin,
                }
            };
            let candidates: Vec<usize> = (0..m).filter(|&n| labels[n] != labels[a] && fits(n)).collect();
            if self.mode == Mining::Hard {
                // The first of the nearest.
                return candidates.into_iter().reduce(|best, n| if row[n] < row[best] { n } else { best });
            }
            let word = u64::from(stream.word((a * m + p) as u64));
            candidates.get(((word * candidates.len() as u64) >> 32) as usize).copied()
        };
        let chosen = (0..m * m).map(|i| {
            let (a, p) = (i / m, i % m);
            let negative = if a < p && labels[a] == labels[p] { choose(a, p) } else { None };
            negative.map_or(-T::one(), |n| T::of(n as f64))
        });
        Tensor::new([m, m], chosen.collect())
    }
}
