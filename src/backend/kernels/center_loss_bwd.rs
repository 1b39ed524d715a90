//! One thread an element.

use super::elementwise::{elements, over_elements};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::CenterLossBwd;

fields! {
    Params { elements: u32, d: u32, classes: u32 }
}

impl Lower for CenterLossBwd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [classes, d] = [step.inputs[1].rows(), step.inputs[1].shape.last()].map(|extent| extent as u32);
        let params = Params { elements: elements(step), d, classes };
        over_elements::<Self>("center_loss_bwd", params, operands(step), step, tuning)
    }
}
