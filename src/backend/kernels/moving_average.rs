//! One thread an element of the state.

use super::updates::{others, update};
use super::{Calls, Lower, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::MovingAverage;

fields! {
    Params { elements: u32, decay: f32 }
}

impl Lower for MovingAverage {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let elements = step.output.shape.elements();
        let params = Params { elements: elements as u32, decay: self.decay };
        update(step, Some(call::<Self>("moving_average_fwd", params, others(step), tuning.threads(elements)?)), tuning)
    }
}
