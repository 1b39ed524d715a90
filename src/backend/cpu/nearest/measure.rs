//! The distance itself: `sum of (x[i] - y[i])^2` in f32, in the one order that every instruction set follows.
//!
//! Sixteen sums: sum `j` takes the elements `j, j + 16, j + 32, ..` in order, each squared difference rounded before it is
//! added (no fused multiply-add). Then sum `j` and sum `j + 8` are added, of these eight `j` and `j + 4`, `j` and `j + 2`,
//! and the last two. A vector's distance to itself is 0, and `(x, y)` and `(y, x)` have the same bits.

use half::f16;

use super::Values;
use crate::backend::cpu::simd::{Isa, Simd, per_isa, prefetch};

/// Sums of the fixed order.
const SUMS: usize = 16;
/// Values that a long scan asks for before it needs them: 4 KiB.
const AHEAD: usize = 1024;

/// How the values of a row are stored.
trait Stored: Copy {
    const ZERO: Self;
    /// # Safety
    /// As [`Simd::load`].
    unsafe fn load<V: Simd>(from: *const Self) -> V;
}

impl Stored for f32 {
    const ZERO: f32 = 0.0;
    #[inline(always)]
    unsafe fn load<V: Simd>(from: *const f32) -> V {
        // SAFETY: as the caller promises.
        unsafe { V::load(from) }
    }
}

impl Stored for f16 {
    const ZERO: f16 = f16::ZERO;
    #[inline(always)]
    unsafe fn load<V: Simd>(from: *const f16) -> V {
        // SAFETY: as the caller promises.
        unsafe { V::load_halves(from) }
    }
}

/// Rows to be measured from one vector, and where their distances go.
pub(super) struct Measure<'a> {
    pub x: &'a [f32],
    /// Rows of `x.len()` values, one after the other.
    pub rows: Values<'a>,
    /// A distance for each row.
    pub to: &'a mut [f32],
}

impl Measure<'_> {
    /// Measures each row.
    pub fn run(self, isa: Isa) {
        assert_eq!(self.rows.len(), self.x.len() * self.to.len());
        // SAFETY: a device's instruction set is one that the machine has, and the rows are as long as `x`.
        unsafe { by_isa(isa, self) }
    }
}

type Task<'a> = Measure<'a>;
per_isa!(Task);

/// # Safety
/// The instruction set is there; the rows are as long as `x`.
#[inline(always)]
unsafe fn dispatch<V: Simd>(task: Task) {
    // SAFETY: as the caller promises.
    unsafe {
        match task.rows {
            Values::F32(rows) => each::<V, f32>(task.x, rows, task.to),
            Values::F16(rows) => each::<V, f16>(task.x, rows, task.to),
        }
    }
}

/// # Safety
/// As [`dispatch`].
#[inline(always)]
unsafe fn each<V: Simd, R: Stored>(x: &[f32], rows: &[R], to: &mut [f32]) {
    for (i, to) in to.iter_mut().enumerate() {
        // SAFETY: every row has the values of `x`.
        *to = unsafe { distance::<V, R>(x.as_ptr(), rows.as_ptr().add(i * x.len()), x.len()) };
    }
}

/// # Safety
/// The instruction set is there; both have `n` values.
#[inline(always)]
unsafe fn distance<V: Simd, R: Stored>(x: *const f32, y: *const R, n: usize) -> f32 {
    let mut sums = [0.0f32; SUMS];
    // SAFETY: whole vectors within the `n` values; the rest goes through arrays, whose zeros add nothing.
    unsafe {
        let mut acc = [V::splat(0.0); 2];
        let vectors = SUMS / V::LANES;
        let mut i = 0;
        while i + SUMS <= n {
            prefetch(y.wrapping_add(i + AHEAD).cast());
            for v in 0..vectors {
                let at = i + v * V::LANES;
                let t = V::load(x.add(at)).sub(R::load(y.add(at)));
                acc[v] = acc[v].add(t.mul(t));
            }
            i += SUMS;
        }
        if i < n {
            let (mut a, mut b) = ([0.0f32; SUMS], [R::ZERO; SUMS]);
            std::ptr::copy_nonoverlapping(x.add(i), a.as_mut_ptr(), n - i);
            std::ptr::copy_nonoverlapping(y.add(i), b.as_mut_ptr(), n - i);
            for v in 0..vectors {
                let at = v * V::LANES;
                let t = V::load(a.as_ptr().add(at)).sub(R::load(b.as_ptr().add(at)));
                acc[v] = acc[v].add(t.mul(t));
            }
        }
        for v in 0..vectors {
            acc[v].store(sums.as_mut_ptr().add(v * V::LANES));
        }
    }
    let eight: [f32; 8] = std::array::from_fn(|j| sums[j] + sums[j + 8]);
    let four: [f32; 4] = std::array::from_fn(|j| eight[j] + eight[j + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}
