//! One call for each part that is not in its place, and one for the gaps.

use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::Join;

fields! {
    Params { elements: u32, offset: u32 }
}

impl Lower for Join {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (starts, end) = Join::layout(step.inputs.iter().map(|part| &part.shape));
        let y = || Operand::View(step.output.clone());
        let (mut calls, mut gaps) = (Vec::new(), Vec::new());
        for (i, (part, &start)) in step.inputs.iter().zip(&starts).enumerate() {
            let count = part.shape.elements();
            let next = starts.get(i + 1).copied().unwrap_or(end);
            if start + count < next {
                gaps.extend([(start + count) as u32, next as u32]);
            }
            let in_place = part.region == step.output.region && part.offset == step.output.offset + start;
            if !in_place && count > 0 {
                let params = Params { elements: count as u32, offset: start as u32 };
                calls.push(call::<Self>(
                    "join_fwd",
                    params,
                    vec![Operand::View(part.clone()), y()],
                    tuning.threads(count)?,
                ));
            }
        }
        if !gaps.is_empty() {
            let params = Params { elements: 32 * gaps.len() as u32, offset: 0 };
            let groups = tuning.threads(32 * gaps.len())?;
            calls.push(call::<Self>("join_gaps", params, vec![Operand::Table(gaps), y()], groups));
        }
        Ok(calls)
    }
}
