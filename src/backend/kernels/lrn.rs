//! One thread an element.

use super::elementwise::{channels, elements, over_elements};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::Lrn;

fields! {
    Params { elements: u32, c: u32, radius: u32, bias: f32, alpha: f32, beta: f32 }
}

impl Params {
    /// Of either direction; a window is no wider than what lies around a channel.
    pub fn of(step: &Step, radius: usize, [bias, alpha, beta]: [f32; 3]) -> Params {
        let c = channels(step);
        Params { elements: elements(step), c, radius: radius.min(c as usize) as u32, bias, alpha, beta }
    }
}

impl Lower for Lrn {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Params::of(step, self.radius, [self.bias, self.alpha, self.beta]);
        over_elements::<Self>("lrn_fwd", params, operands(step), step, tuning)
    }
}
