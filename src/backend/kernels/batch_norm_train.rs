//! One thread an element; CUDA's takes four channels of four rows where they come in fours.

use super::elementwise::{channels, elements};
use super::normalization::{layer, layer_flags, patches};
use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::BatchNormTrain;

fields! {
    Params { elements: u32, c: u32, epsilon: f32, flags: u32, y_offset: u32, y_stride: u32 }
}

impl Lower for BatchNormTrain {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (elements, c) = (elements(step), channels(step));
        let (y_offset, y_stride) = ((step.output.offset % 64) as u32, step.output.stride as u32);
        let flags = layer_flags(self);
        let params = Params { elements, c, epsilon: self.epsilon, flags, y_offset, y_stride };
        let mut operands = layer(self, step);
        operands.push(Operand::View(step.output.clone()));
        let fours = (c | y_offset | y_stride).is_multiple_of(4);
        Ok(vec![call::<Self>("batch_norm_train", params, operands, patches(step, fours, tuning)?)])
    }
}
