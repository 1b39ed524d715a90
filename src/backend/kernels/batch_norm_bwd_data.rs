//! One thread an element; CUDA's takes four channels of four rows where they come in fours.

use super::elementwise::{channels, elements};
use super::normalization::{layer, layer_flags, patches};
use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::BatchNormBwdData;

fields! {
    Params { elements: u32, c: u32, epsilon: f32, flags: u32 }
}

impl Lower for BatchNormBwdData {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (elements, c) = (elements(step), channels(step));
        let params = Params { elements, c, epsilon: self.0.epsilon, flags: layer_flags(&self.0) };
        let mut operands = layer(&self.0, step);
        operands.push(Operand::constant(step, Some(self.0.inputs())));
        operands.push(Operand::View(step.inputs[self.0.inputs() + 1].clone()));
        operands.push(Operand::View(step.output.clone()));
        Ok(vec![call::<Self>("batch_norm_bwd_data", params, operands, patches(step, c.is_multiple_of(4), tuning)?)])
    }
}
