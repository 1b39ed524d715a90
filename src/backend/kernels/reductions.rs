//! What losses share: sums over pieces or rows, then over all of them.

use super::{Calls, Lower, Operand, Tuning, call, fields, operands};
use crate::graph::Step;

fields! {
    Pieces { elements: u32, pieces: u32 }
}

/// Elements that one workgroup adds up: what a sum is split by depends on the number of its elements alone.
const PIECE: usize = 4096;

/// Rows of input 0, and their elements.
pub fn rows(step: &Step) -> [usize; 2] {
    [step.inputs[0].rows(), step.inputs[0].shape.last()]
}

/// The operands with a place for the pieces' results before the output.
fn with_parts(step: &Step, parts: usize) -> Vec<Operand> {
    let mut operands = operands(step);
    operands.insert(operands.len() - 1, Operand::Scratch(parts));
    operands
}

/// The pieces of input 0, then all of them together; parameters of how many elements and pieces there are.
pub fn in_pieces<L: Lower>(
    entries: [&'static str; 2],
    params: impl Fn(u32, u32) -> L::Params,
    step: &Step,
    tuning: Tuning,
) -> Calls {
    let elements = step.inputs[0].shape.elements();
    let pieces = elements.div_ceil(PIECE).max(1);
    let params = params(elements as u32, pieces as u32);
    let operands = with_parts(step, pieces);
    let parts = call::<L>(entries[0], params, operands.clone(), tuning.groups(pieces)?);
    Ok(vec![parts, call::<L>(entries[1], params, operands, [1, 1, 1])])
}

/// One workgroup a row.
pub fn over_rows<L: Lower>(entry: &'static str, params: L::Params, step: &Step, tuning: Tuning) -> Calls {
    Ok(vec![call::<L>(entry, params, operands(step), tuning.groups(rows(step)[0])?)])
}

/// The rows of input 0, then all of them together.
pub fn row_by_row<L: Lower>(entries: [&'static str; 2], params: L::Params, step: &Step, tuning: Tuning) -> Calls {
    let rows = rows(step)[0].max(1);
    let operands = with_parts(step, rows);
    let parts = call::<L>(entries[0], params, operands.clone(), tuning.rows(rows)?);
    Ok(vec![parts, call::<L>(entries[1], params, operands, [1, 1, 1])])
}
