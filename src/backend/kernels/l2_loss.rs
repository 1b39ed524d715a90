//! Partial sums of blocks, then their total.

use super::reductions::{PartialSums, by_blocks};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::L2Loss;

impl Lower for L2Loss {
    type Params = PartialSums;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        by_blocks::<Self>(["l2_loss_fwd_partial", "l2_loss_fwd_total"], PartialSums::new, step, tuning)
    }
}
