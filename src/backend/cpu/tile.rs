//! The register tile: a few pixels by one or two vectors of output channels, summed over all taps.
//!
//! Formula: `y[row, channel] = sum over runs, k of x[run][row][k] * w[run][k][channel]`, one fused multiply-add after
//! the other in this order. A run is a stretch of the input that is contiguous for every pixel of the tile: one tap's
//! channels, or a whole kernel row's where nothing is padded. Per k, a tile of R x 2 vectors loads two filter vectors,
//! broadcasts R inputs and does 2R multiply-adds, so the multiply-add ports are the limit.

use super::simd::{Isa, Lanes8, Simd};

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
}

impl Tile<'_> {
    /// Sums the tile with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; every start is readable for `run` values and `w` for the panel's.
    pub unsafe fn sum(self, isa: Isa, sums: &mut Sums) {
        debug_assert!(self.rows <= isa.rows() && self.starts.len() % self.rows.max(1) == 0);
        // SAFETY: the caller's promises are this function's.
        unsafe {
            match isa {
                Isa::Portable => dispatch::<Lanes8>(self, sums),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => avx2(self, sums),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => avx512(self, sums),
                #[cfg(not(target_arch = "x86_64"))]
                _ => unreachable!("not available on this architecture"),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(tile: Tile, sums: &mut Sums) {
    // SAFETY: the caller's promises.
    unsafe { dispatch::<std::arch::x86_64::__m256>(tile, sums) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(tile: Tile, sums: &mut Sums) {
    // SAFETY: the caller's promises.
    unsafe { dispatch::<std::arch::x86_64::__m512>(tile, sums) }
}

/// Picks the tile whose extents are constants.
///
/// # Safety
/// As [`Tile::sum`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(tile: Tile, sums: &mut Sums) {
    macro_rules! by_rows {
        ($($rows:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match (tile.rows, tile.vectors) {
                    $(($rows, 1) => kernel::<V, $rows, 1>(tile, sums),
                      ($rows, 2) => kernel::<V, $rows, 2>(tile, sums),)+
                    (rows, vectors) => unreachable!("no tile of {rows} rows by {vectors} vectors"),
                }
            }
        };
    }
    // Tiles taller than the register file allows are never asked for, and cost nothing but code.
    if V::LANES == 16 { by_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14) } else { by_rows!(1 2 3 4 5 6) }
}

/// # Safety
/// As [`Tile::sum`].
#[inline(always)]
unsafe fn kernel<V: Simd, const ROWS: usize, const VECTORS: usize>(tile: Tile, sums: &mut Sums) {
    // SAFETY: `starts` holds ROWS pointers for each run, each readable for `run` values; the panel holds
    // `runs * run * VECTORS` vectors; `sums` has room for ROWS x VECTORS vectors.
    unsafe {
        let mut acc = [[V::splat(0.0); VECTORS]; ROWS];
        let mut w = tile.w;
        for starts in tile.starts.chunks_exact(ROWS) {
            let starts: [*const f32; ROWS] = std::array::from_fn(|row| *starts.get_unchecked(row));
            for k in 0..tile.run {
                let filters: [V; VECTORS] = std::array::from_fn(|v| V::load(w.add(v * V::LANES)));
                w = w.add(VECTORS * V::LANES);
                for row in 0..ROWS {
                    let x = V::splat(*starts[row].add(k));
                    for v in 0..VECTORS {
                        acc[row][v] = acc[row][v].mul_add(x, filters[v]);
                    }
                }
            }
        }
        for row in 0..ROWS {
            for v in 0..VECTORS {
                acc[row][v].store(sums[row].as_mut_ptr().add(v * V::LANES));
            }
        }
    }
}
