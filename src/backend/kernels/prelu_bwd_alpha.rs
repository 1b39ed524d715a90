//! Sums over all rows, in two passes.

use super::sums::{Cut, Extents};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::PReluBwdAlpha;

impl Lower for PReluBwdAlpha {
    type Params = Extents;

    fn calls(&self, step: &Step, _: Tuning) -> Calls {
        Cut::of(&step.inputs[0]).sums::<Self>(["prelu_bwd_alpha_chunk", "prelu_bwd_alpha_merge"], step)
    }
}
