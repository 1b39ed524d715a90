//! One thread a box.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::BoxPad;

fields! {
    Params { rows: u32, width: f32, height: f32 }
}

impl Lower for BoxPad {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Params { rows: step.output.rows() as u32, width: self.width as f32, height: self.height as f32 };
        Ok(vec![call::<Self>("box_pad_fwd", params, operands(step), tuning.threads(step.output.rows())?)])
    }
}
