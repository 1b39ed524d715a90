//! Partial sums of blocks, then their total.

use super::reductions::{PartialSums, by_blocks};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::Mean;

impl Lower for Mean {
    type Params = PartialSums;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        by_blocks::<Self>(["mean_fwd_partial", "mean_fwd_total"], PartialSums::new, step, tuning)
    }
}
