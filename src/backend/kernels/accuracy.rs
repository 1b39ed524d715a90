//! One workgroup a row.

use super::reductions::{over_rows, rows};
use super::{Calls, Lower, Tuning, fields};
use crate::graph::Step;
use crate::ops::Accuracy;

fields! {
    Params { rows: u32, c: u32 }
}

impl Lower for Accuracy {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [rows, c] = rows(step).map(|extent| extent as u32);
        over_rows::<Self>("accuracy_fwd", Params { rows, c }, step, tuning)
    }
}
