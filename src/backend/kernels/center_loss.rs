//! Partial sums of blocks, then their total.

use super::reductions::by_blocks;
use super::{Calls, Lower, Tuning, fields};
use crate::graph::Step;
use crate::ops::CenterLoss;

fields! {
    Params { elements: u32, pieces: u32, d: u32, classes: u32 }
}

impl Lower for CenterLoss {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [classes, d] = [step.inputs[1].rows(), step.inputs[1].shape.last()].map(|extent| extent as u32);
        let params = |elements, pieces| Params { elements, pieces, d, classes };
        by_blocks::<Self>(["center_loss_fwd_partial", "center_loss_fwd_total"], params, step, tuning)
    }
}
