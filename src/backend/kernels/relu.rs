//! One thread an element.

use super::elementwise::{Elements, over_elements};
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::Relu;

impl Lower for Relu {
    type Params = Elements;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        over_elements::<Self>("relu_fwd", Elements::of(step), operands(step), step, tuning)
    }
}
