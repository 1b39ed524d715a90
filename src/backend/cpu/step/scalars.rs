//! Ops whose result is one number.

use super::Work;
use crate::backend::cpu::reduce;

impl Work<'_> {
    /// See [`L2Loss`](crate::ops::L2Loss).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn l2_loss(&self) {
        let isa = self.workers.isa();
        // SAFETY: as the caller promises.
        unsafe {
            let sum = reduce::total(self.workers, self.x(0), |x| reduce::squares(isa, x));
            self.write(&[(sum / 2.0) as f32]);
        }
    }

    /// See [`Mean`](crate::ops::Mean).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn mean(&self) {
        let isa = self.workers.isa();
        // SAFETY: as the caller promises.
        unsafe {
            let x = self.x(0);
            let sum = reduce::total(self.workers, x, |x| reduce::sum(isa, x));
            self.write(&[(sum / x.len().max(1) as f64) as f32]);
        }
    }

    /// See [`IsFinite`](crate::ops::IsFinite).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn is_finite(&self) {
        // SAFETY: as the caller promises.
        unsafe { self.write(&[if reduce::is_finite(self.workers, self.x(0)) { 1.0 } else { 0.0 }]) }
    }
}
