//! One thread a row, or one warp.

use super::reductions::rows;
use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::{Triplet, TripletLossBwd};

fields! {
    Params { rows: u32, d: u32, margin: f32, wrt: u32 }
}

impl Lower for TripletLossBwd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let [rows, d] = rows(step);
        let wrt = match self.wrt {
            Triplet::Anchor => 0,
            Triplet::Positive => 1,
            Triplet::Negative => 2,
        };
        let params = Params { rows: rows as u32, d: d as u32, margin: self.margin, wrt };
        Ok(vec![call::<Self>("triplet_loss_bwd", params, operands(step), tuning.rows(rows)?)])
    }
}
