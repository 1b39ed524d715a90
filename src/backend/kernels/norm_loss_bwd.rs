//! One thread a row, or one warp.

use super::reductions::rows;
use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::NormLossBwd;

fields! {
    Params { rows: u32, d: u32, p: f32, epsilon: f32 }
}

impl Lower for NormLossBwd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [rows, d] = rows(step);
        let params = Params { rows: rows as u32, d: d as u32, p: self.p, epsilon: self.epsilon };
        Ok(vec![call::<Self>("norm_loss_bwd", params, operands(step), tuning.rows(rows)?)])
    }
}
