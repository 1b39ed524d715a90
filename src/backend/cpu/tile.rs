//! The register tile: a few pixels by one or two vectors of output channels, summed over all taps.
//!
//! Formula: `y[row, channel] = sum over runs, k of x[run][row][k] * w[run][k][channel]`, one fused multiply-add after
//! the other in this order; in bf16 a step takes two `k`, the second first (see `multiply`). A run is a stretch of the
//! input that is contiguous for every pixel of the tile: one tap's channels, or a whole kernel row's where nothing is
//! padded. Per step, a tile of R x 2 vectors loads two filter vectors, broadcasts R inputs and does 2R multiply-adds, so
//! the multiply-add ports are the limit.

use std::mem::MaybeUninit;

use half::bf16;

use super::ahead::{self, Ahead};
use super::element::Element;
use super::multiply::Multiply;
use super::simd::{Isa, Simd, per_isa, per_isa_bf16};
use crate::ops::Activation;

/// The tallest tile of any instruction set, one vector wide.
pub(super) const MAX_ROWS: usize = 14;
/// The widest tile of any instruction set.
pub(super) const MAX_WIDTH: usize = 32;

/// Sums of one tile: `[row][channel]`.
pub(super) type Sums = [[f32; MAX_WIDTH]; MAX_ROWS];

/// A tile's work.
#[derive(Clone, Copy)]
pub(super) struct Tile<E> {
    /// Where each run starts for each row: `[runs][rows]`, the runs `between` apart.
    pub starts: *const *const E,
    pub between: usize,
    /// How many there are.
    pub runs: usize,
    /// Pixels.
    pub rows: usize,
    /// Input values of a run.
    pub run: usize,
    /// The filters' panel: `[runs][steps of a run][vectors * lanes][values of a step]`.
    pub w: *const E,
    /// Vectors of output channels: 1 or 2.
    pub vectors: usize,
    /// From the sums to the output.
    pub epilogue: TileEpilogue<E>,
    /// What it asks the caches for meanwhile.
    pub ahead: Ahead,
}

/// From sums to output: `act(scale * (sum + bias) + residual)`. A null pointer is an absent operand.
#[derive(Clone, Copy)]
pub(super) struct TileEpilogue<E> {
    /// The panel's channels, whole vectors of them.
    pub bias: *const f32,
    /// What is done last.
    pub activation: Activation,
    /// The panel's slopes, whole vectors of them; there if the activation is a PReLU.
    pub alpha: *const f32,
    /// The first row's channels of the residual.
    pub residual: *const E,
    /// Values between the residual's rows.
    pub residual_stride: usize,
    /// The factor of the sums, where there is a residual.
    pub scale: f32,
    /// Where each row of the output starts.
    pub to: *const *mut E,
    /// The panel's first channel, counted from there.
    pub first: usize,
    /// Channels of the panel; the rest is padding.
    pub channels: usize,
}

/// A type with tiles of its own.
pub(super) trait Tiled: Element {
    /// Rows of the tallest tile two vectors wide.
    fn rows(isa: Isa) -> usize;

    /// # Safety
    /// As [`Tile::run`].
    unsafe fn by_isa(isa: Isa, tile: Tile<Self>);
}

impl<E: Tiled> Tile<E> {
    /// Sums and finishes the tile with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; there is a start for each run and row, readable for `run` values, and `w` for the panel's; what `epilogue` points
    /// to is readable, or writable, for the tile's rows and channels, and the output overlaps nothing.
    pub unsafe fn run(self, isa: Isa) {
        debug_assert!(self.rows <= E::rows(isa));
        // SAFETY: the caller's promises are this function's.
        unsafe { E::by_isa(isa, self) }
    }
}

type F32Tile = Tile<f32>;
per_isa!(F32Tile);

/// # Safety
/// As [`Tile::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(tile: F32Tile) {
    // SAFETY: the caller's promises.
    unsafe { by_extents::<f32, V>(tile) }
}

per_isa_bf16!(Tile<bf16>);

/// # Safety
/// As [`Tile::run`].
#[inline(always)]
unsafe fn dispatch_bf16<V: Multiply<bf16>>(tile: Tile<bf16>) {
    // SAFETY: the caller's promises.
    unsafe { by_extents::<bf16, V>(tile) }
}

impl Tiled for f32 {
    fn rows(isa: Isa) -> usize {
        isa.rows()
    }

    unsafe fn by_isa(isa: Isa, tile: F32Tile) {
        // SAFETY: the caller's promises.
        unsafe { by_isa(isa, tile) }
    }
}

impl Tiled for bf16 {
    fn rows(isa: Isa) -> usize {
        match isa {
            // A row more, and the compiler keeps sums in memory.
            Isa::Avx512Bf16 => 12,
            _ => isa.rows(),
        }
    }

    unsafe fn by_isa(isa: Isa, tile: Tile<bf16>) {
        // SAFETY: the caller's promises.
        unsafe { by_isa_bf16(isa, tile) }
    }
}

/// Sums by the tile whose extents are constants, then finishes its rows.
///
/// # Safety
/// As [`Tile::run`].
#[inline(always)]
unsafe fn by_extents<E: Element, V: Multiply<E>>(tile: Tile<E>) {
    let mut sums = MaybeUninit::<Sums>::uninit();
    let to = sums.as_mut_ptr().cast::<f32>();
    macro_rules! by_rows {
        ($unroll:literal: $($rows:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match (tile.rows, tile.vectors) {
                    $(($rows, 1) => kernel::<E, V, $rows, 1, $unroll>(&tile, to),
                      ($rows, 2) => kernel::<E, V, $rows, 2, $unroll>(&tile, to),)+
                    (rows, vectors) => unreachable!("no tile of {rows} rows by {vectors} vectors"),
                }
            }
        };
    }
    // Tiles taller than the register file allows are never asked for, and cost nothing but code.
    match (V::LANES, E::STEP) {
        (16, 1) => by_rows!(2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
        (16, _) => by_rows!(1: 1 2 3 4 5 6 7 8 9 10 11 12),
        _ => by_rows!(1: 1 2 3 4 5 6),
    }
    // SAFETY: the caller's promises; the kernel has written the sums of the tile's rows and vectors.
    unsafe {
        match (tile.epilogue.residual.is_null(), tile.epilogue.activation) {
            (true, Activation::None) => finish::<E, V, false, NONE>(&tile, to),
            (true, Activation::Relu) => finish::<E, V, false, RELU>(&tile, to),
            (true, Activation::PRelu) => finish::<E, V, false, PRELU>(&tile, to),
            (false, Activation::None) => finish::<E, V, true, NONE>(&tile, to),
            (false, Activation::Relu) => finish::<E, V, true, RELU>(&tile, to),
            (false, Activation::PRelu) => finish::<E, V, true, PRELU>(&tile, to),
        }
    }
}

/// # Safety
/// As [`Tile::run`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<E: Element, V: Multiply<E>, const ROWS: usize, const VECTORS: usize, const UNROLL: usize>(
    tile: &Tile<E>,
    sums: *mut f32,
) {
    // SAFETY: `starts` holds ROWS pointers for each run, each readable for `run` values; the panel holds VECTORS vectors
    // for each step of each run; the rest is the caller's promise.
    unsafe {
        let mut acc = [[V::splat(0.0); VECTORS]; ROWS];
        let mut w = tile.w;
        let width = V::LANES * E::STEP;
        let steps = tile.run / E::STEP;
        let mut asked = 0;
        for run in 0..tile.runs {
            let starts = &*tile.starts.add(run * tile.between).cast::<[*const E; ROWS]>();
            for step in 0..steps / UNROLL {
                if tile.ahead.filters {
                    ahead::filters(w, UNROLL * VECTORS * width);
                }
                if tile.ahead.rows > 0 {
                    ahead::inputs(tile, ROWS, step, UNROLL * E::STEP);
                }
                if asked < ROWS {
                    ahead::output(&tile.epilogue, asked, VECTORS * V::LANES);
                    asked += 1;
                }
                // Loops, not closures: those are compiled without the instruction set unless they happen to be inlined.
                let mut filters = [[V::factors(w); VECTORS]; UNROLL];
                for u in 0..UNROLL {
                    for v in 0..VECTORS {
                        filters[u][v] = V::factors(w.add((u * VECTORS + v) * width));
                    }
                }
                w = w.add(UNROLL * VECTORS * width);
                for row in 0..ROWS {
                    for u in 0..UNROLL {
                        let x = V::spread(starts[row].add((step * UNROLL + u) * E::STEP));
                        for v in 0..VECTORS {
                            acc[row][v] = acc[row][v].add_products(x, filters[u][v]);
                        }
                    }
                }
            }
            for step in steps / UNROLL * UNROLL..steps {
                for row in 0..ROWS {
                    let x = V::spread(starts[row].add(step * E::STEP));
                    for v in 0..VECTORS {
                        acc[row][v] = acc[row][v].add_products(x, V::factors(w.add(v * width)));
                    }
                }
                w = w.add(VECTORS * width);
            }
        }
        // Through memory, so that the rest is a loop and not as many copies of it as there are rows.
        for row in 0..ROWS {
            for v in 0..VECTORS {
                acc[row][v].store(sums.add(row * MAX_WIDTH + v * V::LANES));
            }
        }
    }
}

/// Activations, as constants that code is made for.
const NONE: u8 = 0;
const RELU: u8 = 1;
const PRELU: u8 = 2;

/// Writes the output's rows from their sums.
///
/// # Safety
/// As [`Tile::run`]; `sums` holds those of the tile's rows and vectors.
#[inline(always)]
unsafe fn finish<E: Element, V: Multiply<E>, const RESIDUAL: bool, const ACTIVATION: u8>(
    tile: &Tile<E>,
    sums: *const f32,
) {
    let e = &tile.epilogue;
    let whole = e.channels == tile.vectors * V::LANES;
    let (mut padded, mut part) = ([E::default(); MAX_WIDTH], [E::default(); MAX_WIDTH]);
    // SAFETY: the residual's and the output's rows hold `channels` values; bias, alpha and the arrays hold whole vectors.
    unsafe {
        let zero = V::splat(0.0);
        for row in 0..tile.rows {
            let start = (*e.to.add(row)).add(e.first);
            let mut residual = e.residual.wrapping_add(row * e.residual_stride);
            if RESIDUAL && !whole {
                residual.copy_to_nonoverlapping(padded.as_mut_ptr(), e.channels);
                residual = padded.as_ptr();
            }
            let to = if whole { start } else { part.as_mut_ptr() };
            for at in (0..tile.vectors).map(|v| v * V::LANES) {
                let mut y = V::load(sums.add(row * MAX_WIDTH + at));
                if !e.bias.is_null() {
                    y = y.add(V::load(e.bias.add(at)));
                }
                if RESIDUAL {
                    y = V::read(residual.add(at)).mul_add(V::splat(e.scale), y);
                }
                y = match ACTIVATION {
                    RELU => y.max(zero),
                    PRELU => y.max(zero).mul_add(V::load(e.alpha.add(at)), y.min(zero)),
                    _ => y,
                };
                y.write(to.add(at));
            }
            if !whole {
                start.copy_from_nonoverlapping(part.as_ptr(), e.channels);
            }
        }
    }
}
