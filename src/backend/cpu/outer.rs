//! The register tile of filters' gradients: a few output channels by one or two vectors of input channels, summed over
//! pixels.
//!
//! Formula: `dw[row, lane] (+)= sum over pixels of dy[pixel][row] * x[pixel][lane]`, in the pixels' order. Per pixel, a
//! tile of R x 2 vectors loads two vectors of the input, broadcasts R gradients and does 2R multiply-adds. The vectors
//! are the input's channels because these follow each other in the filters, too.

use super::simd::{Isa, Simd, per_isa};
use super::tile::{MAX_ROWS, MAX_WIDTH, Sums};

/// A tile's work.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    /// Where each pixel's inputs and gradients start.
    pub pixels: &'a [[*const f32; 2]],
    /// Output channels.
    pub rows: usize,
    /// The first of them.
    pub first: usize,
    /// Vectors of input channels: 1 or 2.
    pub vectors: usize,
    /// The first channel.
    pub at: usize,
    /// How many there are.
    pub width: usize,
    /// Where the sums go.
    pub to: *mut f32,
    /// Values between rows.
    pub stride: usize,
    /// Whether they are added to what is there.
    pub add: bool,
}

impl Outer<'_> {
    /// Sums the tile with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; inputs are readable for whole vectors and gradients for the rows; the output is writable.
    pub unsafe fn run(self, isa: Isa) {
        debug_assert!(self.rows <= isa.rows() && self.width <= self.vectors * isa.lanes());
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Outer);

/// Picks the tile whose extents are constants.
///
/// # Safety
/// As [`Outer::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(tile: Outer) {
    macro_rules! by_rows {
        ($($rows:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match (tile.rows, tile.vectors) {
                    $(($rows, 1) => kernel::<V, $rows, 1>(tile), ($rows, 2) => kernel::<V, $rows, 2>(tile),)+
                    (rows, vectors) => unreachable!("no tile of {rows} rows by {vectors} vectors"),
                }
            }
        };
    }
    if V::LANES == 16 { by_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13) } else { by_rows!(1 2 3 4 5 6) }
}

/// # Safety
/// As [`Outer::run`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<V: Simd, const ROWS: usize, const VECTORS: usize>(tile: Outer) {
    // SAFETY: pixels are readable as the caller promises; `sums` has room for ROWS x VECTORS vectors.
    unsafe {
        let mut acc = [[V::splat(0.0); VECTORS]; ROWS];
        for &[inputs, dy] in tile.pixels {
            let (inputs, dy) = (inputs.add(tile.at), dy.add(tile.first));
            let mut x = [V::splat(0.0); VECTORS];
            for v in 0..VECTORS {
                x[v] = V::load(inputs.add(v * V::LANES));
            }
            for row in 0..ROWS {
                let dy = V::splat(*dy.add(row));
                for v in 0..VECTORS {
                    acc[row][v] = acc[row][v].mul_add(dy, x[v]);
                }
            }
        }
        if tile.width == VECTORS * V::LANES {
            for row in 0..ROWS {
                for v in 0..VECTORS {
                    let to = tile.to.add(row * tile.stride + v * V::LANES);
                    let sum = if tile.add { V::load(to).add(acc[row][v]) } else { acc[row][v] };
                    sum.store(to);
                }
            }
            return;
        }
        let mut sums: Sums = [[0.0; MAX_WIDTH]; MAX_ROWS];
        for row in 0..ROWS {
            for v in 0..VECTORS {
                acc[row][v].store(sums[row].as_mut_ptr().add(v * V::LANES));
            }
        }
        for (row, sums) in sums[..ROWS].iter().enumerate() {
            let to = std::slice::from_raw_parts_mut(tile.to.add(row * tile.stride), tile.width);
            if tile.add {
                to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
            } else {
                to.copy_from_slice(&sums[..tile.width]);
            }
        }
    }
}
