//! One thread an element.

use super::elementwise::over_elements;
use super::pool2d::Backward;
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::MaxPool2dBwd;

impl Lower for MaxPool2dBwd {
    type Params = Backward;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Backward::of(&step.output.shape, self.kernel, self.stride, self.padding)?;
        over_elements::<Self>("max_pool2d_bwd", params, operands(step), step, tuning)
    }
}
