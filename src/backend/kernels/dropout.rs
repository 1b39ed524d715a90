//! One thread four elements.

use super::elementwise::elements;
use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::Dropout;

fields! {
    Params { elements: u32, keep: f32, seed_low: u32, seed_high: u32, purpose: u32 }
}

impl Lower for Dropout {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Params {
            elements: elements(step),
            keep: self.keep,
            seed_low: self.seed as u32,
            seed_high: (self.seed >> 32) as u32,
            purpose: self.stream,
        };
        let groups = tuning.threads(step.output.shape.elements().div_ceil(4))?;
        Ok(vec![call::<Self>("dropout_fwd", params, operands(step), groups)])
    }
}
