//! One thread an element, twice: each element's share of its neighbours' gradients, then their sums.

use super::elementwise::elements;
use super::lrn::Params;
use super::{Calls, Lower, Operand, Tuning, call, operands};
use crate::graph::Step;
use crate::ops::LrnBwd;

impl Lower for LrnBwd {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let params = Params::of(step, self.radius, [self.bias, self.alpha, self.beta]);
        let count = elements(step) as usize;
        let mut operands = operands(step);
        operands.insert(2, Operand::Scratch(count));
        let groups = tuning.threads(count)?;
        let shares = call::<Self>("lrn_bwd_shares", params, operands.clone(), groups);
        Ok(vec![shares, call::<Self>("lrn_bwd_sums", params, operands, groups)])
    }
}
