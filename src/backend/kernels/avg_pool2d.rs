//! One thread an output, or eight of its channels.

use super::pool2d::{Forward, call_pool};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::AvgPool2d;

impl Lower for AvgPool2d {
    type Params = Forward;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [_, h, w, _] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let params = Forward::of(step, self.kernel_on(h, w), self.stride, self.padding)?;
        call_pool::<Self>("avg_pool2d_fwd", params, step, tuning)
    }
}
