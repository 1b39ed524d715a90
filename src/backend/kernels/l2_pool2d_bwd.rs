//! One thread an element.

use super::elementwise::over_elements;
use super::pool2d::Backward;
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::L2Pool2dBwd;

impl Lower for L2Pool2dBwd {
    type Params = Backward;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Backward::of(&step.output.shape, self.kernel, self.stride, self.padding)?;
        over_elements::<Self>("l2_pool2d_bwd", params, operands(step), step, tuning)
    }
}
