//! Tiles of pairs, over blocks of the rows compared with; then one list of all blocks' lists.

use super::{Call, Calls, Lower, Operand, Packed, Tuning, call, fields};
use crate::Shape;
use crate::graph::{Region, Step};
use crate::ops::{NearestRows, RowStorage};

fields! {
    Params {
        m: u32, n: u32, d: u32, k: u32, stretches: u32, stretch: u32, others: u32, storage: u32, pitch: u32,
    }
}

/// Workgroups that keep a large GPU busy: rows of y are split into blocks until there are as many.
const WORKGROUPS: usize = 512;

/// The least rows of a block.
const BLOCK: usize = 1024;

/// Rows of x up to which CUDA takes the tile of few rows of x, and many of y.
const FEW: usize = 16;

/// Words of a row of `d` elements on the device. In f16 it ends at a multiple of 8 bytes; in int8 it begins with its scale.
fn pitch(storage: RowStorage, d: usize) -> usize {
    match storage {
        RowStorage::F32 => d,
        RowStorage::F16 => 2 * d.div_ceil(4),
        RowStorage::Int8 => 1 + d.div_ceil(4),
    }
}

impl NearestRows {
    /// The tile's entry point, and its rows of x.
    fn tile(&self, m: usize, tuning: Tuning) -> (&'static str, usize) {
        match tuning.cuda() {
            true if m <= FEW => ("nearest_rows_fwd_few", 8),
            true => ("nearest_rows_fwd", 64),
            false => ("nearest_rows_fwd", 16),
        }
    }

    /// y as the kernels read it.
    fn rows(&self, step: &Step) -> Result<Operand, String> {
        let y = &step.inputs[self.y()];
        match (self.storage, y.region) {
            (RowStorage::F32, _) => Ok(Operand::Constant(y.clone())),
            (storage, Region::Param(id)) => Ok(Operand::Packed(id, Packed::Vectors(storage))),
            _ => Err("y is stored in less than f32 only as a constant of the graph".into()),
        }
    }
}

impl Lower for NearestRows {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let (m, n) = (step.output.rows(), step.inputs[self.y()].rows());
        let d = step.inputs[0].shape.last();
        let (entry, rows) = self.tile(m, tuning);
        let tiles = m.div_ceil(rows);
        let wanted = (WORKGROUPS / tiles).clamp(1, n.div_ceil(BLOCK).max(1));
        // Whole tiles, of 64 rows or of 256.
        let stretch = n.div_ceil(wanted).next_multiple_of(256).max(256);
        let stretches = n.div_ceil(stretch).max(1);
        let params = Params {
            m: m as u32,
            n: n as u32,
            d: d as u32,
            k: self.k as u32,
            stretches: stretches as u32,
            stretch: stretch as u32,
            others: u32::from(self.others),
            storage: self.storage as u32,
            pitch: pitch(self.storage, d) as u32,
        };
        if tiles > tuning.max_groups as usize {
            return Err(format!("{m} rows are too many; ask for fewer at a time"));
        }
        let label = |i: usize| Operand::constant(step, self.others.then_some(i));
        let operands = vec![
            Operand::Constant(step.inputs[0].clone()),
            label(1),
            self.rows(step)?,
            label(3),
            Operand::Scratch(stretches * m * 2 * self.k),
            Operand::View(step.output.clone()),
        ];
        // CUDA: the lists of a tile's rows.
        let shared = (rows * 2 * self.k * 4) as u32;
        let lists = call::<Self>(entry, params, operands.clone(), [tiles as u32, stretches as u32, 1]);
        let groups = if tuning.cuda() { tuning.rows(m)? } else { tuning.groups(tiles)? };
        Ok(vec![Call { shared, ..lists }, call::<Self>("nearest_rows_fwd_join", params, operands, groups)])
    }

    fn packing(&self, i: usize, _: &Shape, _: Tuning) -> Option<Packed> {
        (i == self.y() && self.storage != RowStorage::F32).then_some(Packed::Vectors(self.storage))
    }
}
