//! One thread an element; CUDA's takes four where they come in fours.

use super::elementwise::{elements, over_fours};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::Scale;

fields! {
    Params { elements: u32, factor: f32 }
}

impl Lower for Scale {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let elements = elements(step);
        let params = Params { elements, factor: self.factor };
        over_fours::<Self>("scale_fwd", params, operands(step), step, elements.is_multiple_of(4), tuning)
    }
}
