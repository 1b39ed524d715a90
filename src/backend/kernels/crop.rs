//! One thread an element.

use super::elementwise::{elements, over_elements};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::ops::Crop;

fields! {
    Params { elements: u32, h: u32, w: u32, c: u32, h_out: u32, w_out: u32, top: i32, left: i32 }
}

impl Lower for Crop {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [_, h, w, c] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let params = Params {
            elements: elements(step),
            h: h as u32,
            w: w as u32,
            c: c as u32,
            h_out: self.h as u32,
            w_out: self.w as u32,
            top: self.y,
            left: self.x,
        };
        over_elements::<Self>("crop_fwd", params, operands(step), step, tuning)
    }
}
