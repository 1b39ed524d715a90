//! One call for each part that is not in its place.

use super::elementwise::channels;
use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::Concat;

fields! {
    Params { elements: u32, c: u32, c_out: u32, offset: u32 }
}

impl Lower for Concat {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let mut offset = 0;
        let mut calls = Vec::with_capacity(step.inputs.len());
        for part in &step.inputs {
            let (count, c) = (part.shape.elements(), part.shape.last());
            let in_place = part.region == step.output.region && part.offset == step.output.offset + offset as usize;
            if in_place || count == 0 {
                offset += c as u32;
                continue;
            }
            let params = Params { elements: count as u32, c: c as u32, c_out: channels(step), offset };
            let operands = vec![Operand::View(part.clone()), Operand::View(step.output.clone())];
            let fours = tuning.cuda() && (params.c | params.c_out | params.offset).is_multiple_of(4);
            calls.push(call::<Self>(
                "concat_fwd",
                params,
                operands,
                tuning.threads(if fours { count / 4 } else { count })?,
            ));
            offset += c as u32;
        }
        Ok(calls)
    }
}
