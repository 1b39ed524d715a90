//! One thread an element.

use super::elementwise::{Elements, over_elements};
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::L2LossBwd;

impl Lower for L2LossBwd {
    type Params = Elements;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        over_elements::<Self>("l2_loss_bwd", Elements::of(step), operands(step), step, tuning)
    }
}
