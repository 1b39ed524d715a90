//! One workgroup a row.

use super::reductions::{over_rows, rows};
use super::{Calls, Lower, Tuning, fields};
use crate::graph::Step;
use crate::ops::SoftmaxCrossEntropyBwd;

fields! {
    Params { rows: u32, c: u32 }
}

impl Lower for SoftmaxCrossEntropyBwd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [rows, c] = rows(step).map(|extent| extent as u32);
        over_rows::<Self>("softmax_cross_entropy_bwd", Params { rows, c }, step, tuning)
    }
}
