//! One thread an element.

use super::elementwise::{channels, elements, over_elements};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::PReluBwdData;

fields! {
    Params { elements: u32, c: u32 }
}

impl Lower for PReluBwdData {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Params { elements: elements(step), c: channels(step) };
        over_elements::<Self>("prelu_bwd_data", params, operands(step), step, tuning)
    }
}
