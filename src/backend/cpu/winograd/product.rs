//! The products of a panel at all points, on register tiles: `y[point][row] = x[point][row] * w[point]`.
//!
//! There are many short ones, `k` being the channels in, so that what surrounds the sums counts: one call makes all of them,
//! rows lie at equal steps, and sums are stored as they are. A row's sum is one fused multiply-add after the other.

use super::super::ahead;
use super::super::simd::{Isa, Simd, per_isa, prefetch};

/// A panel's products.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub points: usize,
    /// Patches.
    pub rows: usize,
    /// Channels in.
    pub k: usize,
    /// Vectors of channels out: 1 or 2.
    pub vectors: usize,
    /// The patches at the first point, `[rows][k]`, and values from one point to the next.
    pub x: *const f32,
    pub x_stride: usize,
    /// The panel: `[points][k][vectors * lanes]`.
    pub w: *const f32,
    /// The products at the first point, `[rows][vectors * lanes]`, and values from one point to the next.
    pub y: *mut f32,
    pub y_stride: usize,
    /// Lines that are asked for meanwhile, since they will be written next.
    pub ahead: &'a [*const f32],
}

impl Product<'_> {
    /// Makes the products with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; operands are readable, and the products are writable and overlap nothing.
    pub unsafe fn run(self, isa: Isa) {
        // SAFETY: the caller's promises.
        unsafe { by_isa(isa, Work { product: self, height: isa.rows() }) }
    }
}

#[derive(Clone, Copy)]
struct Work<'a> {
    product: Product<'a>,
    /// Rows of the tallest tile.
    height: usize,
}

per_isa!(Work);

/// # Safety
/// As [`Product::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(Work { product, height }: Work) {
    // Tiles are as even as whole numbers allow; those that are taller come first.
    let tiles = product.rows.div_ceil(height);
    let (least, taller) = (product.rows / tiles, product.rows % tiles);
    let mut ahead = product.ahead.chunks(product.ahead.len().div_ceil(product.points).max(1));
    for point in 0..product.points {
        ahead.next().into_iter().flatten().for_each(|&line| prefetch(line));
        // SAFETY: the caller's promises.
        unsafe {
            let width = product.vectors * V::LANES;
            let (mut x, mut y) = (product.x.add(point * product.x_stride), product.y.add(point * product.y_stride));
            let w = product.w.add(point * product.k * width);
            for tile in 0..tiles {
                let rows = least + usize::from(tile < taller);
                let tile = Tile { k: product.k, x, w, y };
                match product.vectors {
                    1 => by_rows::<V, 1>(rows, tile),
                    _ => by_rows::<V, 2>(rows, tile),
                }
                x = x.add(rows * product.k);
                y = y.add(rows * width);
            }
        }
    }
}

/// Some rows' products at one point.
#[derive(Clone, Copy)]
struct Tile {
    k: usize,
    x: *const f32,
    w: *const f32,
    y: *mut f32,
}

/// Picks the tile whose height is a constant.
///
/// # Safety
/// As [`Product::run`], for these rows.
#[inline(always)]
unsafe fn by_rows<V: Simd, const VECTORS: usize>(rows: usize, work: Tile) {
    macro_rules! pick {
        ($($rows:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match rows {
                    $($rows => tile::<V, $rows, VECTORS>(work),)+
                    rows => unreachable!("no tile of {rows} rows"),
                }
            }
        };
    }
    // Tiles taller than the register file allows are never asked for, and cost nothing but code.
    if V::LANES == 16 { pick!(13 12 11 10 9 8 7 6 5 4 3 2 1) } else { pick!(6 5 4 3 2 1) }
}

/// # Safety
/// As [`Product::run`], for `ROWS` rows.
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn tile<V: Simd, const ROWS: usize, const VECTORS: usize>(tile: Tile) {
    // SAFETY: the caller's promises.
    unsafe {
        let mut w = tile.w;
        let mut sums = [[V::splat(0.0); VECTORS]; ROWS];
        // One step at a time: with more in sight the compiler reads their inputs at once, and sums leave the registers.
        for k in 0..tile.k {
            ahead::filters(w, VECTORS * V::LANES);
            let mut filters = [V::splat(0.0); VECTORS];
            for v in 0..VECTORS {
                filters[v] = V::load(w.add(v * V::LANES));
            }
            for row in 0..ROWS {
                let x = V::splat(*tile.x.add(row * tile.k + k));
                for v in 0..VECTORS {
                    sums[row][v] = sums[row][v].mul_add(x, filters[v]);
                }
            }
            w = w.add(VECTORS * V::LANES);
        }
        for row in 0..ROWS {
            for v in 0..VECTORS {
                sums[row][v].store(tile.y.add((row * VECTORS + v) * V::LANES));
            }
        }
    }
}
