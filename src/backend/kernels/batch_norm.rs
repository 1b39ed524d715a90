//! One thread an element.

use super::elementwise::{channels, elements, over_elements};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::BatchNorm;

fields! {
    Params { elements: u32, c: u32, epsilon: f32 }
}

impl Lower for BatchNorm {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Params { elements: elements(step), c: channels(step), epsilon: self.epsilon };
        over_elements::<Self>("batch_norm_fwd", params, operands(step), step, tuning)
    }
}
