//! One workgroup for all boxes.

use super::{Calls, Lower, Operand, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::{Nms, Overlap};

fields! {
    Params { n: u32, threshold: f32, overlap: u32 }
}

impl Lower for Nms {
    type Params = Params;

    fn calls(&self, step: &Step, _: Tuning) -> Calls {
        let n = step.output.shape.dims()[0];
        let params =
            Params { n: n as u32, threshold: self.threshold, overlap: u32::from(self.overlap == Overlap::Min) };
        let order = Operand::Scratch(2 * n);
        Ok(vec![call::<Self>("nms_fwd", params, operands(step).into_iter().chain([order]).collect(), [1, 1, 1])])
    }
}
