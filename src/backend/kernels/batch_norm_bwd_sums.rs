//! Two sums over all rows, in two passes.

use super::normalization::{layer, layer_flags};
use super::sums::{Cut, Extents};
use super::{Calls, Lower, Operand, Tuning, fields};
use crate::graph::Step;
use crate::ops::BatchNormBwdSums;

fields! {
    Params { rows: u32, c: u32, chunk: u32, chunks: u32, width: u32, epsilon: f32, flags: u32 }
}

impl Lower for BatchNormBwdSums {
    type Params = Params;

    fn calls(&self, step: &Step, _: Tuning) -> Calls {
        let cut = Cut::of(&step.inputs[0]);
        let Extents { rows, c, chunk, chunks, .. } = cut.extents();
        let (epsilon, flags) = (self.0.epsilon, layer_flags(&self.0));
        let params = Params { rows, c, chunk, chunks, width: 2 * c, epsilon, flags };
        let mut inputs = layer(&self.0, step);
        inputs.push(Operand::View(step.inputs[self.0.inputs()].clone()));
        Ok(cut.calls::<Self>(
            ["batch_norm_bwd_sums_chunk", "batch_norm_bwd_sums_merge"],
            2,
            params,
            inputs,
            &step.output,
        ))
    }
}
