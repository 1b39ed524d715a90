//! One thread an element; on CUDA a block a row.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::GatherRowsBwd;

fields! {
    Params { count: u32, rows: u32, d: u32 }
}

impl Lower for GatherRowsBwd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (rows, count) = (step.output.rows(), step.inputs[1].shape.elements());
        let params = Params { count: count as u32, rows: rows as u32, d: step.output.shape.last() as u32 };
        let groups = match tuning.cuda() {
            true => tuning.groups(rows)?,
            false => tuning.threads(step.output.shape.elements())?,
        };
        Ok(vec![call::<Self>("gather_rows_bwd", params, operands(step), groups)])
    }
}
