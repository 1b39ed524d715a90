//! What ops with one thread an element share.

use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;

fields! {
    Elements { elements: u32 }
}

impl Elements {
    /// The output's.
    pub fn of(step: &Step) -> Elements {
        Elements { elements: elements(step) }
    }
}

/// One call with a thread for each of the output's elements.
pub fn over_elements<L: Lower>(
    entry: &'static str,
    params: L::Params,
    operands: Vec<Operand>,
    step: &Step,
    tuning: Tuning,
) -> Calls {
    over_fours::<L>(entry, params, operands, step, false, tuning)
}

/// The same, but for CUDA, whose kernel gives a thread four elements where `fours`.
pub fn over_fours<L: Lower>(
    entry: &'static str,
    params: L::Params,
    operands: Vec<Operand>,
    step: &Step,
    fours: bool,
    tuning: Tuning,
) -> Calls {
    let elements = step.output.shape.elements();
    let threads = if fours && tuning.cuda() { elements / 4 } else { elements };
    Ok(vec![call::<L>(entry, params, operands, tuning.threads(threads)?)])
}

/// The output's elements.
pub fn elements(step: &Step) -> u32 {
    step.output.shape.elements() as u32
}

/// The output's channels.
pub fn channels(step: &Step) -> u32 {
    step.output.shape.last() as u32
}
