//! One thread an element; CUDA's takes four where they come in fours.

use super::elementwise::{Elements, elements, over_fours};
use super::{Calls, Lower, Tuning, operands};
use crate::graph::Step;
use crate::ops::ReluBwd;

impl Lower for ReluBwd {
    type Params = Elements;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let fours = elements(step).is_multiple_of(4);
        over_fours::<Self>("relu_bwd", Elements::of(step), operands(step), step, fours, tuning)
    }
}
