//! One thread a row, or one warp.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::SoftmaxBwd;

fields! {
    Params { rows: u32, c: u32 }
}

impl Lower for SoftmaxBwd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let rows = step.output.rows();
        let params = Params { rows: rows as u32, c: step.output.shape.last() as u32 };
        Ok(vec![call::<Self>("softmax_bwd", params, operands(step), tuning.rows(rows)?)])
    }
}
