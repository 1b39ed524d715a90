//! The register tile of many queries: a few rows by one or two vectors of queries, and which pairs may be near.
//!
//! Formula: `p[row, query] = sum over k of rows[row][k] * panel[k][query]`, one fused multiply-add after the other; a pair is
//! told of where `half[row] - p <= limit[query]` (see `bound`). Per k, a tile of R x 2 vectors loads two vectors of queries,
//! broadcasts R values of the rows where they lie and does 2R multiply-adds, so the multiply-add ports are the limit. Pairs
//! that pass are rare: a tile ends with a comparison for each vector, and no product is stored.

use half::f16;

use crate::backend::cpu::simd::{Isa, Simd, per_isa, prefetch};

/// The most rows of any instruction set.
pub(super) const MAX_ROWS: usize = 14;
/// Values of a cache line.
const LINE: usize = 16;

/// A tile's work.
pub(super) struct Product<'a> {
    /// Rows, one after the other.
    pub rows: &'a [f32],
    /// Values of a row.
    pub dim: usize,
    /// The queries, `[dim][vectors * lanes]`.
    pub panel: &'a [f32],
    /// Vectors of queries: 1 or 2.
    pub vectors: usize,
    /// What each row's product is taken from.
    pub half: &'a [f32],
    /// The most that each query lets pass; as many as the panel has.
    pub limits: &'a [f32],
    /// Where rows lie that are asked for meanwhile, and bytes of their values; 0 for none.
    pub ahead: (*const u8, usize),
    /// For each row a bit for each query that passes.
    pub passed: &'a mut [u32; MAX_ROWS],
}

impl Product<'_> {
    /// Whether any pair passes; `passed` says which.
    pub fn run(self, isa: Isa) -> bool {
        let rows = self.half.len();
        assert!(rows <= height(isa, self.vectors) && self.rows.len() == rows * self.dim);
        assert!(self.limits.len() == self.vectors * isa.lanes() && self.panel.len() == self.limits.len() * self.dim);
        let mut any = false;
        // SAFETY: a device's instruction set is one that the machine has; the extents were checked.
        unsafe { by_isa(isa, (self, &mut any)) };
        any
    }
}

/// Rows of the tallest tile: accumulators, vectors of queries and a broadcast must fit the register file.
pub(super) fn height(isa: Isa, vectors: usize) -> usize {
    match (isa, vectors) {
        (Isa::Avx512 | Isa::Avx512Bf16, 1) => MAX_ROWS,
        _ => isa.rows(),
    }
}

type Task<'a, 'b> = (Product<'a>, &'b mut bool);
per_isa!(Task);

/// Picks the tile whose extents are constants.
///
/// # Safety
/// The instruction set is there; the extents are as [`Product::run`] checks.
#[inline(always)]
unsafe fn dispatch<V: Simd>((task, any): Task) {
    macro_rules! by_rows {
        ($($rows:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match (task.half.len(), task.vectors) {
                    $(($rows, 1) => kernel::<V, $rows, 1>(task),
                      ($rows, 2) => kernel::<V, $rows, 2>(task),)+
                    (rows, vectors) => unreachable!("no tile of {rows} rows by {vectors} vectors"),
                }
            }
        };
    }
    // Taller tiles than the register file allows are never asked for, and cost nothing but code.
    *any = if V::LANES == 16 { by_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14) } else { by_rows!(1 2 3 4 5 6) };
}

/// # Safety
/// As [`dispatch`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<V: Simd, const ROWS: usize, const VECTORS: usize>(task: Product) -> bool {
    // SAFETY: rows hold ROWS x dim values, the panel dim x VECTORS vectors, `half` ROWS and `limits` VECTORS vectors.
    unsafe {
        let mut acc = [[V::splat(0.0); VECTORS]; ROWS];
        let (rows, panel, dim) = (task.rows.as_ptr(), task.panel.as_ptr(), task.dim);
        let width = VECTORS * V::LANES;
        let mut k = 0;
        while k < dim {
            let end = dim.min(k + LINE);
            let (ahead, bytes) = task.ahead;
            if bytes > 0 {
                for row in 0..ROWS {
                    prefetch(ahead.wrapping_add((row * dim + k) * bytes).cast());
                }
            }
            while k < end {
                let mut queries = [V::splat(0.0); VECTORS];
                for v in 0..VECTORS {
                    queries[v] = V::load(panel.add(k * width + v * V::LANES));
                }
                for row in 0..ROWS {
                    let x = V::splat(*rows.add(row * dim + k));
                    for v in 0..VECTORS {
                        acc[row][v] = acc[row][v].mul_add(x, queries[v]);
                    }
                }
                k += 1;
            }
        }
        let mut limits = [V::splat(0.0); VECTORS];
        for v in 0..VECTORS {
            limits[v] = V::load(task.limits.as_ptr().add(v * V::LANES));
        }
        let mut any = 0;
        for row in 0..ROWS {
            let half = V::splat(*task.half.get_unchecked(row));
            let mut passed = 0;
            for v in 0..VECTORS {
                passed |= half.sub(acc[row][v]).at_most(limits[v]) << (v * V::LANES);
            }
            task.passed[row] = passed;
            any |= passed;
        }
        any != 0
    }
}

/// Stores halves as f32.
pub(super) fn widen(isa: Isa, from: &[f16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len());
    // SAFETY: a device's instruction set is one that the machine has.
    unsafe { widening::widen(isa, (from, to)) }
}

mod widening {
    use super::*;

    type Task<'a> = (&'a [f16], &'a mut [f32]);
    per_isa!(Task);

    /// # Safety
    /// The machine has `isa`; both are as long.
    pub(super) unsafe fn widen(isa: Isa, task: Task) {
        // SAFETY: as the caller promises.
        unsafe { by_isa(isa, task) }
    }

    /// # Safety
    /// As [`widen`].
    #[inline(always)]
    unsafe fn dispatch<V: Simd>((from, to): Task) {
        let whole = from.len() / V::LANES * V::LANES;
        for at in (0..whole).step_by(V::LANES) {
            // SAFETY: whole vectors within both.
            unsafe { V::load_halves(from.as_ptr().add(at)).store(to.as_mut_ptr().add(at)) };
        }
        from[whole..].iter().zip(&mut to[whole..]).for_each(|(from, to)| *to = from.to_f32());
    }
}
