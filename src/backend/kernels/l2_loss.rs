//! Sums over pieces, then over all of them.

use super::reductions::{Pieces, in_pieces};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::L2Loss;

impl Lower for L2Loss {
    type Params = Pieces;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        in_pieces::<Self>(
            ["l2_loss_fwd_partial", "l2_loss_fwd_total"],
            |elements, pieces| Pieces { elements, pieces },
            step,
            tuning,
        )
    }
}
