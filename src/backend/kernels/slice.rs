//! One thread an element; CUDA's takes four where they come in fours.

use super::elementwise::{channels, elements, over_fours};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::Slice;

fields! {
    Params { elements: u32, c: u32, c_in: u32, offset: u32 }
}

impl Lower for Slice {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let shapes: Vec<_> = step.inputs.iter().map(|view| &view.shape).collect();
        let params = Params {
            elements: elements(step),
            c: channels(step),
            c_in: shapes[0].last() as u32,
            offset: Slice::first(&shapes) as u32,
        };
        let fours = (params.c | params.c_in | params.offset).is_multiple_of(4);
        over_fours::<Self>("slice_fwd", params, operands(step), step, fours, tuning)
    }
}
