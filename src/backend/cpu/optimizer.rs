//! An optimizer's step: all rows of the state in one pass.

use super::elementwise::PIECE;
use super::vectorized::vectorized;
use super::workers::{Shared, Workers};
use crate::ops::{Optimizer, OptimizerKind, optimizer_step};

/// What all elements share.
#[derive(Clone, Copy)]
struct Rates {
    rate: f32,
    factor: f32,
    decay: f32,
    /// How far the average moves.
    move_by: f32,
}

/// A stretch of the state's rows: weights, slots (empty where there are none), average (empty where none is kept).
struct Rows<'a> {
    weights: &'a mut [f32],
    slots: [&'a mut [f32]; 2],
    average: &'a mut [f32],
}

vectorized! {
    fn update(kind: OptimizerKind, rows: Rows, gradient: &[f32], rates: Rates) {
        // A constant kind, so that there is a loop for each.
        match kind {
            OptimizerKind::Adagrad => one_slot(|w, a, g| optimizer_step(OptimizerKind::Adagrad, w, a, g, rates.rate), rows, gradient, rates),
            OptimizerKind::Momentum => one_slot(|w, a, g| optimizer_step(OptimizerKind::Momentum, w, a, g, rates.rate), rows, gradient, rates),
            OptimizerKind::Adadelta => two_slots(|w, a, g| optimizer_step(OptimizerKind::Adadelta, w, a, g, rates.rate), rows, gradient, rates),
            OptimizerKind::Adam => two_slots(|w, a, g| optimizer_step(OptimizerKind::Adam, w, a, g, rates.rate), rows, gradient, rates),
            OptimizerKind::RmsProp => two_slots(|w, a, g| optimizer_step(OptimizerKind::RmsProp, w, a, g, rates.rate), rows, gradient, rates),
        }
    }
}

#[inline(always)]
fn one_slot(step: impl Fn(f32, [f32; 2], f32) -> (f32, [f32; 2]), rows: Rows, gradient: &[f32], rates: Rates) {
    let [a, _] = rows.slots;
    for ((w, a), &g) in rows.weights.iter_mut().zip(a).zip(gradient) {
        let (weight, [slot, _]) = step(*w, [*a, 0.0], rates.factor * g + rates.decay * *w);
        (*w, *a) = (weight, slot);
    }
    follow(rows.average, rows.weights, rates);
}

#[inline(always)]
fn two_slots(step: impl Fn(f32, [f32; 2], f32) -> (f32, [f32; 2]), rows: Rows, gradient: &[f32], rates: Rates) {
    let [a, b] = rows.slots;
    for (((w, a), b), &g) in rows.weights.iter_mut().zip(a).zip(b).zip(gradient) {
        let (weight, slots) = step(*w, [*a, *b], rates.factor * g + rates.decay * *w);
        (*w, [*a, *b]) = (weight, slots);
    }
    follow(rows.average, rows.weights, rates);
}

#[inline(always)]
fn follow(average: &mut [f32], weights: &[f32], rates: Rates) {
    average.iter_mut().zip(weights).for_each(|(average, &w)| *average -= rates.move_by * (*average - w));
}

/// Runs the step in place.
///
/// # Safety
/// `state` is writable for the op's rows of as many values as the gradient has, and overlaps nothing.
pub(super) unsafe fn run(workers: Workers, op: &Optimizer, state: *mut f32, gradient: &[f32], rates: &[f32]) {
    let (p, slots, state) = (gradient.len(), op.kind.initial().len(), Shared::new(state));
    let rates = Rates { rate: rates[0], factor: rates[1], decay: op.decay, move_by: 1.0 - rates[2] };
    workers.pieces(p, PIECE, |_, piece| {
        let middle = op.decayed.clamp(piece.start, piece.end);
        for (part, decay) in [(piece.start..middle, op.decay), (middle..piece.end, 0.0)] {
            let row = |row: usize, there: bool| {
                let start = row * p + part.start;
                // SAFETY: pieces and rows are apart; the rest is the caller's promise.
                unsafe { state.slice(if there { start..start + part.len() } else { 0..0 }) }
            };
            let rows = Rows {
                weights: row(0, true),
                slots: [row(1, slots > 0), row(2, slots > 1)],
                average: row(1 + slots, op.average),
            };
            update(workers.isa(), op.kind, rows, &gradient[part.clone()], Rates { decay, ..rates });
        }
    });
}
