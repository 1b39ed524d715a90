//! One thread four images of an element.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::LocalConv2dBwdData;

fields! {
    Params {
        n: u32, h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_h: u32, k_w: u32, stride_y:
        u32, stride_x: u32,
    }
}

impl Lower for LocalConv2dBwdData {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [n, h, w, c_in] = step.output.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let &[h_out, w_out, c_out, k_h, k_w, _] = step.inputs[1].shape.dims() else {
            return Err("w is not [h_out, w_out, c_out, k_h, k_w, c_in]".into());
        };
        let threads = n.div_ceil(4) * h * w * c_in;
        let [n, h, w, c_in, h_out, w_out, c_out, k_h, k_w] =
            [n, h, w, c_in, h_out, w_out, c_out, k_h, k_w].map(|extent| extent as u32);
        let [stride_y, stride_x] = self.stride.map(|stride| stride as u32);
        let params = Params { n, h, w, c_in, h_out, w_out, c_out, k_h, k_w, stride_y, stride_x };
        Ok(vec![call::<Self>("local_conv2d_bwd_data", params, operands(step), tuning.threads(threads)?)])
    }
}
