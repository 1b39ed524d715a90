//! Sums and squares over all rows, in two passes.

use super::sums::{Cut, Extents, LANES};
use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::BatchMoments;

fields! {
    Params { rows: u32, c: u32, chunk: u32, chunks: u32, correction: f32 }
}

impl Lower for BatchMoments {
    type Params = Params;

    fn calls(&self, step: &Step, _: Tuning) -> Calls {
        let cut = Cut::of(&step.inputs[0]);
        let Extents { rows, c, chunk, chunks, .. } = cut.extents();
        let params = Params { rows, c, chunk, chunks, correction: BatchMoments::correction(cut.rows) as f32 };
        let x = || Operand::View(step.inputs[0].clone());
        let scratch = Operand::Scratch(cut.chunks * 2 * cut.c);
        let groups = cut.c.div_ceil(LANES) as u32;
        let (first, last) = (vec![x(), scratch.clone(), Operand::NoValue], Operand::View(step.output.clone()));
        // The merge makes variances of a single partial sum's squares too.
        Ok(vec![
            call::<Self>("batch_moments_chunk", params, first, [groups, chunks, 1]),
            call::<Self>("batch_moments_merge", params, vec![x(), scratch, last], [groups, 1, 1]),
        ])
    }
}
