//! One thread a pair; on CUDA tiles of pairs.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::{Metric, PairwiseDistance};

fields! {
    Params { rows: u32, m: u32, d: u32, metric: u32 }
}

impl Lower for PairwiseDistance {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (pairs, m) = (step.output.shape.elements(), step.output.shape.last());
        let params = Params {
            rows: pairs as u32,
            m: m as u32,
            d: step.inputs[0].shape.last() as u32,
            metric: match self.metric {
                Metric::Euclidean => 0,
                Metric::Cosine => 1,
            },
        };
        let groups = match tuning.cuda() {
            // Tiles of 16 x 16 pairs.
            true => [m.div_ceil(16) as u32, (pairs / m).div_ceil(16) as u32, 1],
            false => tuning.threads(pairs)?,
        };
        Ok(vec![call::<Self>("pairwise_distance_fwd", params, operands(step), groups)])
    }
}
