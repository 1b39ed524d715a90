//! The choice of negatives.

use super::{Call, Operand, Tuning, by_port, call, params};
use crate::graph::Step;
use crate::ops::{MineTriplets, Mining, NearestOther};
use crate::random::purpose;

pub fn mine_triplets(op: &MineTriplets, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let m = step.output.shape.last();
    let params = params::MineTriplets {
        m: m as u32,
        mode: match op.mode {
            Mining::Random => 0,
            Mining::SemiHard => 1,
            Mining::Hard => 2,
            Mining::Vgg => 3,
        },
        margin: op.margin,
        seed_low: op.seed as u32,
        seed_high: (op.seed >> 32) as u32,
        purpose: purpose::MINING,
    };
    let groups = match tuning.cuda() {
        // Blocks in the second dimension.
        true if m > 65_535 => return Err(format!("{m} rows are too many; use a smaller batch")),
        true => [m.div_ceil(256) as u32, m as u32, 1],
        false => tuning.threads(m * m)?,
    };
    Ok(vec![call("mine_triplets_fwd", params, by_port(step), groups)])
}

/// Workgroups that keep a large GPU busy: rows of y are split into stretches until there are as many.
const WORKGROUPS: usize = 512;

/// The least rows of a stretch.
const STRETCH: usize = 1024;

pub fn nearest_other(op: &NearestOther, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (m, n) = (step.output.rows(), step.inputs[3].shape.elements());
    let tiles = m.div_ceil(if tuning.cuda() { 64 } else { 16 });
    let wanted = (WORKGROUPS / tiles).clamp(1, n.div_ceil(STRETCH).max(1));
    // Whole tiles of 64 rows.
    let stretch = n.div_ceil(wanted).next_multiple_of(64).max(64);
    let stretches = n.div_ceil(stretch).max(1);
    let params = params::NearestOther {
        m: m as u32,
        n: n as u32,
        d: step.inputs[0].shape.last() as u32,
        k: op.k as u32,
        stretches: stretches as u32,
        stretch: stretch as u32,
    };
    let mut operands = by_port(step);
    operands.insert(operands.len() - 1, Operand::Scratch(stretches * m * 2 * op.k));
    if tiles > tuning.max_groups as usize {
        return Err(format!("{m} rows are too many; ask for fewer at a time"));
    }
    let lists = call("nearest_other_fwd", params, operands.clone(), [tiles as u32, stretches as u32, 1]);
    Ok(vec![lists, call("nearest_other_fwd_join", params, operands, tuning.threads(m)?)])
}
