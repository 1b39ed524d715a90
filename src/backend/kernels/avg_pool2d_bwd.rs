//! One thread an element.

use super::elementwise::over_elements;
use super::pool2d::Backward;
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::AvgPool2dBwd;

impl Lower for AvgPool2dBwd {
    type Params = Backward;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [_, h, w, _] = step.output.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let params = Backward::of(&step.output.shape, self.kernel_on(h, w), self.stride, self.padding)?;
        over_elements::<Self>("avg_pool2d_bwd", params, operands(step), step, tuning)
    }
}
