//! One thread four outputs of a filter's element.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::LocalConv2dBwdFilter;

fields! {
    Params {
        n: u32, h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_h: u32, k_w: u32, stride_y:
        u32, stride_x: u32, threads: u32,
    }
}

impl Lower for LocalConv2dBwdFilter {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [n, h, w, c_in] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let &[h_out, w_out, c_out, k_h, k_w, _] = step.output.shape.dims() else {
            return Err("w is not [h_out, w_out, c_out, k_h, k_w, c_in]".into());
        };
        let threads = h_out * w_out * c_out.div_ceil(4) * k_h * k_w * c_in;
        let [n, h, w, c_in, h_out, w_out, c_out, k_h, k_w] =
            [n, h, w, c_in, h_out, w_out, c_out, k_h, k_w].map(|extent| extent as u32);
        let [stride_y, stride_x] = self.stride.map(|stride| stride as u32);
        let params =
            Params { n, h, w, c_in, h_out, w_out, c_out, k_h, k_w, stride_y, stride_x, threads: threads as u32 };
        Ok(vec![call::<Self>("local_conv2d_bwd_filter", params, operands(step), tuning.threads(threads)?)])
    }
}
