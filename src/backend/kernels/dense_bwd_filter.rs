//! The gradient of the filters of a convolution of one pixel.

use super::filter_gradient::{FilterTile, Gradient, filter_calls, filter_params};
use super::{Calls, Lower, Tuning};
use crate::graph::Step;
use crate::ops::{Conv2dBwdFilter, DenseBwdFilter, Operator, Padding};

impl Lower for DenseBwdFilter {
    type Params = Gradient;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let &[c_out, k] = step.output.shape.dims() else { return Err("w is not [c_out, k]".into()) };
        let rows = step.inputs[1].shape.dims()[0];
        let tile = FilterTile::choose(Self::STEM, c_out, k, tuning);
        let params = filter_params(&tile, [rows, 1, 1, k], [c_out, 1, 1, k], [1, 1], Padding::Valid)?;
        if tile.is_tma() {
            return filter_calls::<Conv2dBwdFilter>(tile, params, step, tuning);
        }
        filter_calls::<Self>(tile, params, step, tuning)
    }
}
