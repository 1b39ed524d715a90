//! A crop that begins before the image.

use super::crop::Params;
use super::elementwise::{elements, over_elements};
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::Pad2d;

impl Lower for Pad2d {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [_, h, w, c] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let [_, h_out, w_out, _] = step.output.shape.nhwc().ok_or("y is not [n, h, w, c]")?;
        let [[top, _], [left, _]] = self.borders;
        let [h, w, c, h_out, w_out] = [h, w, c, h_out, w_out].map(|extent| extent as u32);
        let params = Params { elements: elements(step), h, w, c, h_out, w_out, top: -top, left: -left };
        over_elements::<Self>("pad2d_fwd", params, operands(step), step, tuning)
    }
}
