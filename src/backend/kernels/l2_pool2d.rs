//! One thread an element.

use super::elementwise::over_elements;
use super::pool2d::Forward;
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::L2Pool2d;

impl Lower for L2Pool2d {
    type Params = Forward;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Forward::of(step, self.kernel, self.stride, self.padding)?;
        over_elements::<Self>("l2_pool2d_fwd", params, operands(step), step, tuning)
    }
}
