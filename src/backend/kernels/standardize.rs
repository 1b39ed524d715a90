//! One workgroup an image.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::Standardize;

fields! {
    Params { images: u32, count: u32, prewhiten: u32, mean: f32, deviation: f32 }
}

impl Lower for Standardize {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let images = step.output.shape.dims()[0];
        let count = step.output.shape.elements() / images;
        let constants = self.constants();
        let (mean, deviation) = constants.unwrap_or_default();
        let params = Params {
            images: images as u32,
            count: count as u32,
            prewhiten: u32::from(constants.is_none()),
            mean: mean as f32,
            deviation: deviation as f32,
        };
        Ok(vec![call::<Self>("standardize_fwd", params, operands(step), tuning.groups(images)?)])
    }
}
