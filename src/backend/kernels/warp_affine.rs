//! One thread an element. Where pixels come from is an input, which f64 has decided.

use super::elementwise::{elements, over_elements};
use super::{Calls, Lower, Tuning, fields, operands};
use crate::graph::Step;
use crate::image::{WARP_STEP, Warp};
use crate::ops::WarpAffine;

fields! {
    Params { elements: u32, h: u32, w: u32, c: u32, h_out: u32, w_out: u32, exact: u32, vectors: u32, zero: u32 }
}

impl Lower for WarpAffine {
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
            exact: u32::from(self.warp == Warp::Exact),
            vectors: (self.w / WARP_STEP * WARP_STEP) as u32,
            zero: 0,
        };
        over_elements::<Self>("warp_affine_fwd", params, operands(step), step, tuning)
    }
}
