//! One thread an element.

use super::elementwise::{elements, over_elements};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::Part;

fields! {
    Params { elements: u32, offset: u32 }
}

impl Lower for Part {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Params { elements: elements(step), offset: self.offset(&step.inputs[0].shape) as u32 };
        over_elements::<Self>("part_fwd", params, operands(step), step, tuning)
    }
}
