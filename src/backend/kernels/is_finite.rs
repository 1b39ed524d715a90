//! Sums over pieces, then over all of them.

use super::reductions::{Pieces, in_pieces};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::IsFinite;

impl Lower for IsFinite {
    type Params = Pieces;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        in_pieces::<Self>(
            ["is_finite_fwd_partial", "is_finite_fwd_total"],
            |elements, pieces| Pieces { elements, pieces },
            step,
            tuning,
        )
    }
}
