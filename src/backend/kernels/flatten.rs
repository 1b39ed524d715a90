//! One thread an element.

use super::elementwise::{Elements, over_elements};
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::Flatten;

impl Lower for Flatten {
    type Params = Elements;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        over_elements::<Self>("flatten_fwd", Elements::of(step), operands(step), step, tuning)
    }
}
