//! One thread an element.

use super::elementwise::{channels, elements, over_elements};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::GatherRows;

fields! {
    Params { elements: u32, rows: u32, d: u32 }
}

impl Lower for GatherRows {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let rows = step.inputs[0].shape.dims()[0] as u32;
        let params = Params { elements: elements(step), rows, d: channels(step) };
        over_elements::<Self>("gather_rows_fwd", params, operands(step), step, tuning)
    }
}
