//! One thread an output, or eight of its channels.

use super::pool2d::{Forward, call_pool};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::L2Pool2d;

impl Lower for L2Pool2d {
    type Params = Forward;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Forward::of(step, self.kernel, self.stride, self.padding)?;
        call_pool::<Self>("l2_pool2d_fwd", params, step, tuning)
    }
}
