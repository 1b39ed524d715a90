//! Sums over all rows, in two passes.

use super::sums::{Cut, Extents};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::ChannelSum;

impl Lower for ChannelSum {
    type Params = Extents;

    fn calls(&self, step: &Step, _: Tuning) -> Calls {
        Cut::of(&step.inputs[0]).sums::<Self>(["channel_sum_chunk", "channel_sum_merge"], step)
    }
}
