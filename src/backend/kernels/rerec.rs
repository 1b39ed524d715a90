//! One thread a box.

use super::{Calls, Lower, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::Rerec;

fields! {
    Params { rows: u32 }
}

impl Lower for Rerec {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Params { rows: step.output.rows() as u32 };
        Ok(vec![call::<Self>("rerec_fwd", params, operands(step), tuning.threads(step.output.rows())?)])
    }
}
