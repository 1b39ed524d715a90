//! One thread a row, or one warp.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::L2NormalizeBwd;

fields! {
    Params { rows: u32, d: u32, epsilon: f32 }
}

impl Lower for L2NormalizeBwd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (rows, d) = (step.output.rows(), step.output.shape.last());
        let params = Params { rows: rows as u32, d: d as u32, epsilon: self.epsilon };
        Ok(vec![call::<Self>("l2_normalize_bwd", params, operands(step), tuning.rows(rows)?)])
    }
}
