//! Sums over pieces, then over all of them.

use super::reductions::{Pieces, in_pieces};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::Mean;

impl Lower for Mean {
    type Params = Pieces;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        in_pieces::<Self>(
            ["mean_fwd_partial", "mean_fwd_total"],
            |elements, pieces| Pieces { elements, pieces },
            step,
            tuning,
        )
    }
}
