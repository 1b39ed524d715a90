//! One thread an element.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::LocalConv2dBwdBias;

fields! {
    Params { n: u32, elements: u32 }
}

impl Lower for LocalConv2dBwdBias {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let elements = step.output.shape.elements();
        let params = Params { n: step.inputs[0].shape.dims()[0] as u32, elements: elements as u32 };
        Ok(vec![call::<Self>("local_conv2d_bwd_bias", params, operands(step), tuning.threads(elements)?)])
    }
}
