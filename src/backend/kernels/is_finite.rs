//! Partial sums of blocks, then their total.

use super::reductions::{PartialSums, by_blocks};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::IsFinite;

impl Lower for IsFinite {
    type Params = PartialSums;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        by_blocks::<Self>(["is_finite_fwd_partial", "is_finite_fwd_total"], PartialSums::new, step, tuning)
    }
}
