//! Sums of everything: pieces of a fixed size, in lanes of f32, added up in order in f64.

use std::sync::atomic::{AtomicBool, Ordering};

use super::vectorized::vectorized;
use super::workers::Workers;

/// Values of a task.
const PIECE: usize = 1 << 14;
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

/// Adds up what `of` makes of the pieces of `x`.
pub(super) fn total(workers: Workers, x: &[f32], of: impl Fn(&[f32]) -> f64 + Send + Sync) -> f64 {
    let mut sums = vec![0.0f64; x.len().div_ceil(PIECE)];
    let to = Sums(sums.as_mut_ptr());
    workers.pieces(x.len(), PIECE, |i, piece| {
        // SAFETY: each piece has a sum of its own.
        unsafe { to.set(i, of(&x[piece])) };
    });
    sums.iter().sum()
}

/// Whether all values are finite.
pub(super) fn is_finite(workers: Workers, x: &[f32]) -> bool {
    let finite = AtomicBool::new(true);
    workers.pieces(x.len(), PIECE, |_, piece| {
        if !all_finite(workers.isa(), &x[piece]) {
            finite.store(false, Ordering::Relaxed);
        }
    });
    finite.into_inner()
}

/// Sums that tasks write, each its own.
#[derive(Clone, Copy)]
pub(super) struct Sums(pub *mut f64);

// SAFETY: tasks write different sums, as `set` asks.
unsafe impl Send for Sums {}
// SAFETY: as above.
unsafe impl Sync for Sums {}

impl Sums {
    /// # Safety
    /// The sum is there, and nobody else's meanwhile.
    pub unsafe fn set(self, at: usize, value: f64) {
        // SAFETY: as the caller promises.
        unsafe { *self.0.wrapping_add(at) = value }
    }
}
