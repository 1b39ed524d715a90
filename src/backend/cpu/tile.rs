//! The register tile: a few pixels by one or two vectors of output channels, summed over all taps.
//!
//! Formula: `y[row, channel] = sum over runs, k of x[run][row][k] * w[run][k][channel]`, one fused multiply-add after
//! the other in this order. A run is a stretch of the input that is contiguous for every pixel of the tile: one tap's
//! channels, or a whole kernel row's where nothing is padded. Per k, a tile of R x 2 vectors loads two filter vectors,
//! broadcasts R inputs and does 2R multiply-adds, so the multiply-add ports are the limit.

use super::simd::{Isa, Simd, per_isa};
use crate::ops::Activation;

/// The tallest tile of any instruction set, one vector wide.
pub(super) const MAX_ROWS: usize = 14;
/// The widest tile of any instruction set.
pub(super) const MAX_WIDTH: usize = 32;

/// Sums of one tile: `[row][channel]`.
pub(super) type Sums = [[f32; MAX_WIDTH]; MAX_ROWS];

/// A tile's work.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// Where each run starts for each row: `[runs][rows]`.
    pub starts: &'a [*const f32],
    /// Pixels.
    pub rows: usize,
    /// Input values of a run.
    pub run: usize,
    /// The filters' panel: `[runs][run][vectors * lanes]`.
    pub w: *const f32,
    /// Vectors of output channels: 1 or 2.
    pub vectors: usize,
    /// From the sums to the output.
    pub epilogue: TileEpilogue,
}

/// From sums to output: `act(scale * (sum + bias) + residual)`. A null pointer is an absent operand.
#[derive(Clone, Copy)]
pub(super) struct TileEpilogue {
    /// The panel's channels, whole vectors of them.
    pub bias: *const f32,
    /// What is done last.
    pub activation: Activation,
    /// The panel's slopes, whole vectors of them; there if the activation is a PReLU.
    pub alpha: *const f32,
    /// The first row's channels of the residual.
    pub residual: *const f32,
    /// Values between the residual's rows.
    pub residual_stride: usize,
    /// The factor of the sums, where there is a residual.
    pub scale: f32,
    /// Where each row of the output starts.
    pub to: *const *mut f32,
    /// The panel's first channel, counted from there.
    pub first: usize,
    /// Channels of the panel; the rest is padding.
    pub channels: usize,
}

impl Tile<'_> {
    /// Sums and finishes the tile with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; every start is readable for `run` values and `w` for the panel's; what `epilogue` points
    /// to is readable, or writable, for the tile's rows and channels, and the output overlaps nothing.
    pub unsafe fn run(self, isa: Isa) {
        debug_assert!(self.rows <= isa.rows() && self.starts.len().is_multiple_of(self.rows.max(1)));
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Tile);

/// Picks the tile whose extents are constants.
///
/// # Safety
/// As [`Tile::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(tile: Tile) {
    macro_rules! by_rows {
        ($unroll:literal: $($rows:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match (tile.rows, tile.vectors) {
                    $(($rows, 1) => kernel::<V, $rows, 1, $unroll>(tile),
                      ($rows, 2) => kernel::<V, $rows, 2, $unroll>(tile),)+
                    (rows, vectors) => unreachable!("no tile of {rows} rows by {vectors} vectors"),
                }
            }
        };
    }
    // Tiles taller than the register file allows are never asked for, and cost nothing but code.
    if V::LANES == 16 { by_rows!(2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14) } else { by_rows!(1: 1 2 3 4 5 6) }
}

/// # Safety
/// As [`Tile::run`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<V: Simd, const ROWS: usize, const VECTORS: usize, const UNROLL: usize>(tile: Tile) {
    // SAFETY: `starts` holds ROWS pointers for each run, each readable for `run` values; the panel holds
    // `runs * run * VECTORS` vectors; `sums` has room for ROWS x VECTORS vectors.
    unsafe {
        let mut acc = [[V::splat(0.0); VECTORS]; ROWS];
        let mut w = tile.w;
        for starts in tile.starts.chunks_exact(ROWS) {
            let starts = &*starts.as_ptr().cast::<[*const f32; ROWS]>();
            for k in 0..tile.run / UNROLL {
                // Loops, not closures: those are compiled without the instruction set unless they happen to be inlined.
                let mut filters = [[V::splat(0.0); VECTORS]; UNROLL];
                for u in 0..UNROLL {
                    for v in 0..VECTORS {
                        filters[u][v] = V::load(w.add((u * VECTORS + v) * V::LANES));
                    }
                }
                w = w.add(UNROLL * VECTORS * V::LANES);
                for row in 0..ROWS {
                    for u in 0..UNROLL {
                        let x = V::splat(*starts[row].add(k * UNROLL + u));
                        for v in 0..VECTORS {
                            acc[row][v] = acc[row][v].mul_add(x, filters[u][v]);
                        }
                    }
                }
            }
            for k in tile.run / UNROLL * UNROLL..tile.run {
                let mut filters = [V::splat(0.0); VECTORS];
                for v in 0..VECTORS {
                    filters[v] = V::load(w.add(v * V::LANES));
                }
                w = w.add(VECTORS * V::LANES);
                for row in 0..ROWS {
                    let x = V::splat(*starts[row].add(k));
                    for v in 0..VECTORS {
                        acc[row][v] = acc[row][v].mul_add(x, filters[v]);
                    }
                }
            }
        }
        // Through memory, so that the rest is a loop and not as many copies of it as there are rows.
        let mut sums: Sums = [[0.0; MAX_WIDTH]; MAX_ROWS];
        for row in 0..ROWS {
            for v in 0..VECTORS {
                acc[row][v].store(sums[row].as_mut_ptr().add(v * V::LANES));
            }
        }
        for (row, sums) in sums[..ROWS].iter().enumerate() {
            epilogue::<V, VECTORS>(&tile.epilogue, row, sums);
        }
    }
}

/// Writes one row of the output from its sums.
///
/// # Safety
/// As [`Tile::run`].
#[inline(always)]
unsafe fn epilogue<V: Simd, const VECTORS: usize>(e: &TileEpilogue, row: usize, sums: &[f32; MAX_WIDTH]) {
    // SAFETY: bias and alpha hold whole vectors; the residual's and the output's rows hold `channels` values.
    unsafe {
        let whole = e.channels == VECTORS * V::LANES;
        let to = (*e.to.add(row)).add(e.first);
        let mut padded = [0.0f32; MAX_WIDTH];
        let mut residual = e.residual;
        if !residual.is_null() {
            residual = residual.add(row * e.residual_stride);
            if !whole {
                residual.copy_to_nonoverlapping(padded.as_mut_ptr(), e.channels);
                residual = padded.as_ptr();
            }
        }
        for v in 0..VECTORS {
            let at = v * V::LANES;
            let mut y = V::load(sums.as_ptr().add(at));
            if !e.bias.is_null() {
                y = y.add(V::load(e.bias.add(at)));
            }
            if !residual.is_null() {
                y = V::load(residual.add(at)).mul_add(V::splat(e.scale), y);
            }
            let zero = V::splat(0.0);
            y = match e.activation {
                Activation::None => y,
                Activation::Relu => y.max(zero),
                Activation::PRelu => y.max(zero).mul_add(V::load(e.alpha.add(at)), y.min(zero)),
            };
            if whole {
                y.store(to.add(at));
            } else {
                y.store_first(to.add(at), e.channels.saturating_sub(at).min(V::LANES));
            }
        }
    }
}
