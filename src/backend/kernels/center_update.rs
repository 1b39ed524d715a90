//! One thread an element of a row; on CUDA a block a row.

use super::updates::{others, update};
use super::{Calls, Lower, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::CenterUpdate;

fields! {
    Params { rows: u32, d: u32, classes: u32, alfa: f32 }
}

impl Lower for CenterUpdate {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (rows, d) = (step.inputs[1].rows(), step.inputs[1].shape.last());
        let classes = step.output.rows() as u32;
        let params = Params { rows: rows as u32, d: d as u32, classes, alfa: self.alfa };
        let groups = if tuning.cuda() { tuning.groups(rows)? } else { tuning.threads(rows * d)? };
        let call = (rows > 0).then(|| call::<Self>("center_update_fwd", params, others(step), groups));
        update(step, call, tuning)
    }
}
