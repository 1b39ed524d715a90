//! Each row, then all of them.

use super::reductions::{by_rows, rows};
use super::{Calls, Lower, Tuning, fields};
use crate::graph::Step;
use crate::ops::NormLoss;

fields! {
    Params { rows: u32, d: u32, p: f32, epsilon: f32 }
}

impl Lower for NormLoss {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [rows, d] = rows(step).map(|extent| extent as u32);
        let params = Params { rows, d, p: self.p, epsilon: self.epsilon };
        by_rows::<Self>(["norm_loss_fwd_partial", "norm_loss_fwd_total"], params, step, tuning)
    }
}
