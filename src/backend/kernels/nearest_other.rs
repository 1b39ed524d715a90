//! Tiles of pairs, over blocks of the rows compared with; then one list of all blocks' lists.

use super::{Calls, Lower, Operand, Tuning, call, fields, operands};
use crate::graph::Step;
use crate::ops::NearestOther;

fields! {
    Params { m: u32, n: u32, d: u32, k: u32, stretches: u32, stretch: u32 }
}

/// Workgroups that keep a large GPU busy: rows of y are split into blocks until there are as many.
const WORKGROUPS: usize = 512;

/// The least rows of a block.
const BLOCK: usize = 1024;

impl Lower for NearestOther {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (m, n) = (step.output.rows(), step.inputs[3].shape.elements());
        let tiles = m.div_ceil(if tuning.cuda() { 64 } else { 16 });
        let wanted = (WORKGROUPS / tiles).clamp(1, n.div_ceil(BLOCK).max(1));
        // Whole tiles of 64 rows.
        let stretch = n.div_ceil(wanted).next_multiple_of(64).max(64);
        let stretches = n.div_ceil(stretch).max(1);
        let params = Params {
            m: m as u32,
            n: n as u32,
            d: step.inputs[0].shape.last() as u32,
            k: self.k as u32,
            stretches: stretches as u32,
            stretch: stretch as u32,
        };
        let mut operands = operands(step);
        operands.insert(operands.len() - 1, Operand::Scratch(stretches * m * 2 * self.k));
        if tiles > tuning.max_groups as usize {
            return Err(format!("{m} rows are too many; ask for fewer at a time"));
        }
        let lists = call::<Self>("nearest_other_fwd", params, operands.clone(), [tiles as u32, stretches as u32, 1]);
        Ok(vec![lists, call::<Self>("nearest_other_fwd_join", params, operands, tuning.threads(m)?)])
    }
}
