//! What losses share: partial sums of blocks of values or of rows, then their total.

use super::{Calls, Lower, Operand, Tuning, call, fields, operands};
use crate::graph::Step;

fields! {
    PartialSums { elements: u32, pieces: u32 }
}

impl PartialSums {
    /// The numbers of elements and of their partial sums.
    pub fn new(elements: u32, pieces: u32) -> PartialSums {
        PartialSums { elements, pieces }
    }
}

/// Elements of a partial sum: the split depends on the number of elements alone, for it decides the sum's bits.
const BLOCK: usize = 4096;

/// Rows of input 0, and their elements.
pub fn rows(step: &Step) -> [usize; 2] {
    [step.inputs[0].rows(), step.inputs[0].shape.last()]
}

/// The operands, with scratch for the partial sums before the output.
fn with_partial_sums(step: &Step, count: usize) -> Vec<Operand> {
    let mut operands = operands(step);
    operands.insert(operands.len() - 1, Operand::Scratch(count));
    operands
}

/// Partial sums of blocks of input 0, then their total; `params` gets the numbers of elements and of partial sums.
pub fn by_blocks<L: Lower>(
    entries: [&'static str; 2],
    params: impl Fn(u32, u32) -> L::Params,
    step: &Step,
    tuning: Tuning,
) -> Calls {
    let elements = step.inputs[0].shape.elements();
    let count = elements.div_ceil(BLOCK).max(1);
    let params = params(elements as u32, count as u32);
    let operands = with_partial_sums(step, count);
    let partial = call::<L>(entries[0], params, operands.clone(), tuning.groups(count)?);
    Ok(vec![partial, call::<L>(entries[1], params, operands, [1, 1, 1])])
}

/// One workgroup a row.
pub fn over_rows<L: Lower>(entry: &'static str, params: L::Params, step: &Step, tuning: Tuning) -> Calls {
    Ok(vec![call::<L>(entry, params, operands(step), tuning.groups(rows(step)[0])?)])
}

/// Partial sums of the rows of input 0, then their total.
pub fn by_rows<L: Lower>(entries: [&'static str; 2], params: L::Params, step: &Step, tuning: Tuning) -> Calls {
    let rows = rows(step)[0].max(1);
    let operands = with_partial_sums(step, rows);
    let partial = call::<L>(entries[0], params, operands.clone(), tuning.rows(rows)?);
    Ok(vec![partial, call::<L>(entries[1], params, operands, [1, 1, 1])])
}
