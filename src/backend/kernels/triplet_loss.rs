//! Each row, then all of them.

use super::reductions::{by_rows, rows};
use super::{Calls, Lower, Tuning, fields};
use crate::graph::Step;
use crate::ops::TripletLoss;

fields! {
    Params { rows: u32, d: u32, margin: f32 }
}

impl Lower for TripletLoss {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [rows, d] = rows(step).map(|extent| extent as u32);
        let params = Params { rows, d, margin: self.margin };
        by_rows::<Self>(["triplet_loss_fwd_partial", "triplet_loss_fwd_total"], params, step, tuning)
    }
}
