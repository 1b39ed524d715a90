//! A matrix product over pixels, in partial sums, and their total.

use super::filter_gradient::{FilterTile, Gradient, filter_calls, filter_params};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::{Conv2dBwdFilter, Operator};

impl Lower for Conv2dBwdFilter {
    type Params = Gradient;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let image = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let filters = step.output.shape.nhwc().ok_or("w is not [c_out, k_h, k_w, c_in]")?;
        let tile = FilterTile::choose(Self::STEM, filters[0], filters[3], tuning);
        let params = filter_params(&tile, image, filters, self.stride, self.padding)?;
        filter_calls::<Self>(tile, params, step, tuning)
    }
}
