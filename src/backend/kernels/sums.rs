//! Sums over all rows of `[rows, c]`, in two passes: partial sums of blocks of rows, then their totals.

use super::{Call, Calls, Lower, Operand, call, fields};
use crate::graph::{Step, View};

fields! {
    Extents { rows: u32, c: u32, chunk: u32, chunks: u32, width: u32 }
}

/// Channels of a workgroup.
pub(super) const LANES: usize = 32;
/// Workgroups that occupy a device, each with rows enough to be worth its start.
const GROUPS: usize = 1024;
const ROWS: usize = 64;

/// How rows are cut into blocks with partial sums: by the extents alone, for the cut decides the sums' bits.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub rows: usize,
    pub c: usize,
    /// Rows of a partial sum.
    chunk: usize,
    /// Partial sums of a channel.
    pub chunks: usize,
}

impl Cut {
    pub fn of(x: &View) -> Cut {
        let (rows, c) = (x.rows(), x.shape.last());
        let wanted = (GROUPS / c.div_ceil(LANES)).clamp(1, rows.div_ceil(ROWS).max(1));
        let chunk = rows.div_ceil(wanted).next_multiple_of(8).max(8);
        Cut { rows, c, chunk, chunks: rows.div_ceil(chunk).max(1) }
    }

    /// As kernels take it, for one sum of each channel.
    pub fn extents(&self) -> Extents {
        let [rows, c, chunk, chunks] = [self.rows, self.c, self.chunk, self.chunks].map(|extent| extent as u32);
        Extents { rows, c, chunk, chunks, width: c }
    }

    /// Both passes of one sum of each channel of the inputs.
    pub fn sums<L: Lower<Params = Extents>>(self, entries: [&'static str; 2], step: &Step) -> Calls {
        let inputs = step.inputs.iter().cloned().map(Operand::View).collect();
        Ok(self.calls::<L>(entries, 1, self.extents(), inputs, &step.output))
    }

    /// Both passes, `sums` for each channel; where one partial sum is all, the first pass alone writes the output.
    pub fn calls<L: Lower>(
        self,
        [chunk, merge]: [&'static str; 2],
        sums: usize,
        params: L::Params,
        inputs: Vec<Operand>,
        y: &View,
    ) -> Vec<Call> {
        let with = |last: [Operand; 2]| inputs.iter().cloned().chain(last).collect();
        let groups = [self.c.div_ceil(LANES) as u32, self.chunks as u32, 1];
        let y = Operand::View(y.clone());
        if self.chunks == 1 {
            return vec![call::<L>(chunk, params, with([y, Operand::NoValue]), groups)];
        }
        let scratch = Operand::Scratch(self.chunks * sums * self.c);
        let merged = [(sums * self.c).div_ceil(LANES) as u32, 1, 1];
        vec![
            call::<L>(chunk, params, with([scratch.clone(), Operand::NoValue]), groups),
            call::<L>(merge, params, with([scratch, y]), merged),
        ]
    }
}
