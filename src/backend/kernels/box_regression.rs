//! One thread a box.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::BoxRegression;

fields! {
    Params { rows: u32, one: f32 }
}

impl Lower for BoxRegression {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let one = if self.inclusive { 1.0 } else { 0.0 };
        let params = Params { rows: step.output.rows() as u32, one };
        Ok(vec![call::<Self>("box_regression_fwd", params, operands(step), tuning.threads(step.output.rows())?)])
    }
}
