//! Sums over all rows of `[rows, c]`, in two stages: over chunks of rows, then over chunks.

use super::params::Params;
use super::{Call, Operand, call, elementwise, params};
use crate::graph::{Step, View};
use crate::ops::{BatchMoments, BatchNormBwdSums};

/// Channels of a workgroup.
const LANES: usize = 32;
/// Workgroups that occupy a device, each with rows enough to be worth its start.
const GROUPS: usize = 1024;
const ROWS: usize = 64;

/// How rows are cut: by the extents alone, for the cut decides the sums' bits.
#[derive(Clone, Copy)]
struct Cut {
    rows: usize,
    c: usize,
    chunk: usize,
    chunks: usize,
}

impl Cut {
    fn of(x: &View) -> Cut {
        let (rows, c) = (x.rows(), x.shape.last());
        let wanted = (GROUPS / c.div_ceil(LANES)).clamp(1, rows.div_ceil(ROWS).max(1));
        let chunk = rows.div_ceil(wanted).next_multiple_of(8).max(8);
        Cut { rows, c, chunk, chunks: rows.div_ceil(chunk).max(1) }
    }

    /// Both stages, `sums` for each channel; of a single chunk the first alone, which writes the output itself.
    fn calls<P: Params>(
        self,
        [chunk, merge]: [&'static str; 2],
        sums: usize,
        params: P,
        inputs: Vec<Operand>,
        y: &View,
    ) -> Vec<Call> {
        let with = |last: [Operand; 2]| inputs.iter().cloned().chain(last).collect();
        let groups = [self.c.div_ceil(LANES) as u32, self.chunks as u32, 1];
        let y = Operand::View(y.clone());
        if self.chunks == 1 {
            return vec![call(chunk, params, with([y, Operand::NoValue]), groups)];
        }
        let scratch = Operand::Scratch(self.chunks * sums * self.c);
        let merged = [(sums * self.c).div_ceil(LANES) as u32, 1, 1];
        vec![
            call(chunk, params, with([scratch.clone(), Operand::NoValue]), groups),
            call(merge, params, with([scratch, y]), merged),
        ]
    }
}

pub fn channel_sum(step: &Step) -> Result<Vec<Call>, String> {
    let cut = Cut::of(&step.inputs[0]);
    let Cut { rows, c, chunk, chunks } = cut;
    let [rows, c, chunk, chunks] = [rows, c, chunk, chunks].map(|extent| extent as u32);
    let params = params::ChannelSum { rows, c, chunk, chunks, width: c };
    let inputs = vec![Operand::View(step.inputs[0].clone())];
    Ok(cut.calls(["channel_sum_chunk", "channel_sum_merge"], 1, params, inputs, &step.output))
}

pub fn prelu_bwd_alpha(step: &Step) -> Result<Vec<Call>, String> {
    let cut = Cut::of(&step.inputs[0]);
    let Cut { rows, c, chunk, chunks } = cut;
    let [rows, c, chunk, chunks] = [rows, c, chunk, chunks].map(|extent| extent as u32);
    let params = params::PReluBwdAlpha { rows, c, chunk, chunks, width: c };
    let inputs = step.inputs.iter().cloned().map(Operand::View).collect();
    Ok(cut.calls(["prelu_bwd_alpha_chunk", "prelu_bwd_alpha_merge"], 1, params, inputs, &step.output))
}

pub fn batch_norm_bwd_sums(op: &BatchNormBwdSums, step: &Step) -> Result<Vec<Call>, String> {
    let cut = Cut::of(&step.inputs[0]);
    let Cut { rows, c, chunk, chunks } = cut;
    let [rows, c, chunk, chunks] = [rows, c, chunk, chunks].map(|extent| extent as u32);
    let (epsilon, flags) = (op.0.epsilon, elementwise::layer_flags(&op.0));
    let params = params::BatchNormBwdSums { rows, c, chunk, chunks, width: 2 * c, epsilon, flags };
    let mut inputs = elementwise::layer(&op.0, step);
    inputs.push(Operand::View(step.inputs[op.0.inputs()].clone()));
    Ok(cut.calls(["batch_norm_bwd_sums_chunk", "batch_norm_bwd_sums_merge"], 2, params, inputs, &step.output))
}

pub fn batch_moments(step: &Step) -> Result<Vec<Call>, String> {
    let cut = Cut::of(&step.inputs[0]);
    let correction = BatchMoments::correction(cut.rows) as f32;
    let [rows, c, chunk, chunks] = [cut.rows, cut.c, cut.chunk, cut.chunks].map(|extent| extent as u32);
    let params = params::BatchMoments { rows, c, chunk, chunks, correction };
    let x = || Operand::View(step.inputs[0].clone());
    let scratch = Operand::Scratch(cut.chunks * 2 * cut.c);
    let groups = cut.c.div_ceil(LANES) as u32;
    // The merge makes variances of a single chunk's squares too.
    Ok(vec![
        call("batch_moments_chunk", params, vec![x(), scratch.clone(), Operand::NoValue], [groups, chunks, 1]),
        call("batch_moments_merge", params, vec![x(), scratch, Operand::View(step.output.clone())], [groups, 1, 1]),
    ])
}
