//! Sums of all values: partial sums of blocks of a fixed size, in lanes of f32, added up in order in f64.

use std::sync::atomic::{AtomicBool, Ordering};

use super::vectorized::vectorized;
use super::workers::Workers;

/// Values of a partial sum.
const BLOCK: usize = 1 << 14;
/// Sums that run side by side.
const LANES: usize = 64;

vectorized! {
    pub fn sum(x: &[f32]) -> f64 {
        let mut lanes = [0.0f32; LANES];
        x.chunks(LANES).for_each(|x| lanes.iter_mut().zip(x).for_each(|(sum, &x)| *sum += x));
        lanes.iter().map(|&sum| f64::from(sum)).sum()
    }

    pub fn squares(x: &[f32]) -> f64 {
        let mut lanes = [0.0f32; LANES];
        x.chunks(LANES).for_each(|x| lanes.iter_mut().zip(x).for_each(|(sum, &x)| *sum += x * x));
        lanes.iter().map(|&sum| f64::from(sum)).sum()
    }

    fn all_finite(x: &[f32]) -> bool {
        x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff)) < f32::INFINITY.to_bits()
    }
}

/// Adds up the partial sums `of` makes of the blocks of `x`.
pub(super) fn total(workers: Workers, x: &[f32], of: impl Fn(&[f32]) -> f64 + Send + Sync) -> f64 {
    let mut sums = vec![0.0f64; x.len().div_ceil(BLOCK)];
    let to = Sums(sums.as_mut_ptr());
    workers.pieces(x.len(), BLOCK, |i, block| {
        // SAFETY: each block has a partial sum of its own.
        unsafe { to.set(i, of(&x[block])) };
    });
    sums.iter().sum()
}

/// Whether all values are finite.
pub(super) fn is_finite(workers: Workers, x: &[f32]) -> bool {
    let finite = AtomicBool::new(true);
    workers.pieces(x.len(), BLOCK, |_, block| {
        if !all_finite(workers.isa(), &x[block]) {
            finite.store(false, Ordering::Relaxed);
        }
    });
    finite.into_inner()
}

/// Partial sums that tasks write, each its own.
#[derive(Clone, Copy)]
pub(super) struct Sums(pub *mut f64);

// SAFETY: tasks write different sums, as `set` asks.
unsafe impl Send for Sums {}
// SAFETY: as above.
unsafe impl Sync for Sums {}

impl Sums {
    /// # Safety
    /// `at` is in bounds, and no other task uses that sum meanwhile.
    pub unsafe fn set(self, at: usize, value: f64) {
        // SAFETY: as the caller promises.
        unsafe { *self.0.wrapping_add(at) = value }
    }
}
