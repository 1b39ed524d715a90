//! One thread an element; CUDA's takes four where they come in fours.

use super::elementwise::{elements, over_fours};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::ScaledAdd;

fields! {
    Params { elements: u32, scale: f32 }
}

impl Lower for ScaledAdd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let elements = elements(step);
        let params = Params { elements, scale: self.scale };
        over_fours::<Self>("scaled_add_fwd", params, operands(step), step, elements.is_multiple_of(4), tuning)
    }
}
