//! One thread an element.

use super::elementwise::{Elements, over_elements};
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::Cast;

impl Lower for Cast {
    type Params = Elements;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let entry = if self.keep_f32 || step.inputs[0].keep_f32 == step.output.keep_f32 {
            "cast_keep_f32"
        } else {
            "cast_stored"
        };
        over_elements::<Self>(entry, Elements::of(step), operands(step), step, tuning)
    }
}
