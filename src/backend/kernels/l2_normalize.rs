//! One thread a row, or one warp.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::L2Normalize;

fields! {
    Params { rows: u32, d: u32, epsilon: f32 }
}

impl Lower for L2Normalize {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let rows = step.output.rows();
        let params = Params { rows: rows as u32, d: step.output.shape.last() as u32, epsilon: self.epsilon };
        Ok(vec![call::<Self>("l2_normalize_fwd", params, operands(step), tuning.rows(rows)?)])
    }
}
