//! What a register tile asks the caches for while it sums, so that it is there when its turn comes. No result depends on it.
//!
//! Hardware fetches ahead by itself along a few long streams. Filters of one image's layers come from memory once each, and
//! a tile's rows are a stream each, which ends after as many values as there are channels.

use super::simd::{prefetch, prefetch_for_write};
use super::tile::{Tile, TileEpilogue};

/// How far ahead of where they are read filters are asked for, in bytes: a third of a first-level cache, and read later
/// than memory takes to answer.
const DISTANCE: usize = 16 << 10;
/// Bytes of a cache line.
const LINE: usize = 64;

/// What a tile asks for, but for what it writes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ahead {
    /// Its filters: no tile before has read them.
    pub filters: bool,
    /// Rows of the next tile whose inputs are asked for, where a row is one run that no tile before has read.
    pub rows: usize,
}

/// Asks for filters, when as many at `w` are about to be read.
#[inline(always)]
pub(super) fn filters<E>(w: *const E, values: usize) {
    for at in (0..values * size_of::<E>()).step_by(LINE) {
        prefetch(w.cast::<f32>().wrapping_byte_add(DISTANCE + at));
    }
}

/// Asks for a share of the next tile's rows, which follow this one's `rows`. A step reads `values` values of each row; the steps
/// that read a cache line of each of this tile's rows ask for a line of each of the next one's.
///
/// # Safety
/// There are starts for them.
#[inline(always)]
pub(super) unsafe fn inputs<E>(tile: &Tile<E>, rows: usize, step: usize, values: usize) {
    let turns = LINE / (values * size_of::<E>());
    let (turn, each) = (step % turns, rows.div_ceil(turns));
    let line = (step - turn) * values;
    for row in turn * each..((turn + 1) * each).min(tile.ahead.rows) {
        // SAFETY: as the caller promises.
        let start = unsafe { *tile.starts.add(rows + row) };
        prefetch(start.wrapping_add(line).cast());
    }
}

/// Asks for what a row's sums are added to, and for where they go.
///
/// # Safety
/// The row is one of the tile's.
#[inline(always)]
pub(super) unsafe fn output<E>(epilogue: &TileEpilogue<E>, row: usize, values: usize) {
    // SAFETY: as the caller promises.
    let to = unsafe { *epilogue.to.add(row) }.wrapping_add(epilogue.first);
    let residual = epilogue.residual.wrapping_add(row * epilogue.residual_stride);
    for at in (0..values).step_by(LINE / size_of::<E>()) {
        if !epilogue.residual.is_null() {
            prefetch(residual.wrapping_add(at).cast());
        }
        prefetch_for_write(to.wrapping_add(at).cast());
    }
}
