//! Ops without kernels for bf16: in f32, on values that are widened before and rounded after.

use half::bf16;

use super::{Work, products};
use crate::Precision;
use crate::backend::cpu::Isa;
use crate::backend::cpu::bf16::{is_narrow, takes_any};
use crate::backend::cpu::element;
use crate::backend::cpu::elementwise::PIECE;
use crate::backend::cpu::workers::{Shared, Workers};
use crate::graph::{Step, View};
use crate::ops::Port;

/// Values that a step needs besides its inputs and output.
pub(in crate::backend::cpu) fn scratch(isa: Isa, precision: Precision, step: &Step) -> usize {
    let narrow = read(step).map(|(_, view)| view).chain([&step.output]).filter(|view| is_narrow(precision, view));
    let widened = if takes_any(&step.op) && !lacks_values(step) { 0 } else { narrow.map(room).sum() };
    widened + products::scratch(isa, step)
}

/// Whether an input has no values: the reference knows what an op makes of that.
pub(super) fn lacks_values(step: &Step) -> bool {
    step.inputs.iter().any(|view| view.shape.elements() == 0)
}

/// The inputs whose values a step reads.
fn read(step: &Step) -> impl Iterator<Item = (usize, &View)> {
    step.inputs.iter().enumerate().filter(|(i, _)| step.op.port(*i) != Port::Extents)
}

/// Values that a widened view takes: whole cache lines.
fn room(view: &View) -> usize {
    view.shape.elements().next_multiple_of(16)
}

impl Work<'_> {
    /// Whether any value that the step reads or writes is stored in bf16.
    pub(super) fn is_mixed(&self) -> bool {
        let is_narrow = |view| is_narrow(self.precision, view);
        read(self.step).any(|(_, view)| is_narrow(view)) || is_narrow(&self.step.output)
    }

    /// Runs the step in f32; `scratch` has as many values as [`scratch`] says.
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn widened(&self, mut scratch: &mut [f32]) {
        let (mut step, mut inputs, mut output) = (self.step.clone(), self.inputs.to_vec(), self.output);
        for (i, view) in read(self.step).filter(|(i, _)| self.narrow(*i)) {
            let (values, rest) = scratch.split_at_mut(room(view));
            // SAFETY: as the caller promises.
            widen(self.workers, values, unsafe { self.x(i) });
            (inputs[i], scratch) = (values.as_ptr().cast(), rest);
        }
        let rounds = is_narrow(self.precision, &step.output);
        if rounds {
            let (values, rest) = scratch.split_at_mut(room(&step.output));
            (output, scratch) = (values.as_mut_ptr().cast(), rest);
            step.output.stride = step.output.shape.last();
        }
        let of_f32 = Work { precision: Precision::F32, step: &step, inputs: &inputs, output, ..*self };
        // SAFETY: what was widened lies in the scratch, each by itself; the rest is the caller's promise.
        unsafe {
            of_f32.run(scratch);
            if rounds {
                let values = std::slice::from_raw_parts(output.cast(), self.len());
                round(self.workers, self.to(), &self.step.output, values);
            }
        }
    }
}

fn widen(workers: Workers, to: &mut [f32], from: &[bf16]) {
    let to = Shared::new(to.as_mut_ptr());
    workers.pieces(from.len(), PIECE, |_, piece| {
        // SAFETY: pieces are apart; there is room for all values.
        let to = unsafe { to.slice(piece.clone()) };
        element::widen(workers.isa(), to, &from[piece]);
    });
}

/// Rounds dense values into a view that begins at `to`.
///
/// # Safety
/// The view's rows are writable, and overlap nothing.
unsafe fn round(workers: Workers, to: *mut bf16, view: &View, from: &[f32]) {
    let (to, channels) = (Shared::new(to), view.shape.last());
    workers.pieces(view.rows(), (PIECE / channels).max(1), |_, piece| {
        for row in piece {
            // SAFETY: rows are apart; the rest is the caller's promise.
            let to = unsafe { to.slice(row * view.stride..row * view.stride + channels) };
            element::round(workers.isa(), to, &from[row * channels..][..channels]);
        }
    });
}
