//! Ops on each element.

use super::Work;
use crate::backend::cpu::{elementwise, optimizer};
use crate::ops::Optimizer;

impl Work<'_> {
    /// See [`Relu`](crate::ops::Relu).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn relu(&self) {
        let isa = self.workers.isa();
        // SAFETY: as the caller promises.
        unsafe { self.unary(|to, x| elementwise::relu(isa, to, x)) }
    }

    /// See [`ReluBwd`](crate::ops::ReluBwd).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn relu_bwd(&self) {
        let isa = self.workers.isa();
        // SAFETY: as the caller promises.
        unsafe { self.binary(|to, y, dy| elementwise::relu_bwd(isa, to, y, dy)) }
    }

    /// See [`Scale`](crate::ops::Scale).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn scale(&self, factor: f32) {
        let isa = self.workers.isa();
        // SAFETY: as the caller promises.
        unsafe { self.unary(|to, x| elementwise::scale(isa, to, x, factor)) }
    }

    /// See [`ScaledAdd`](crate::ops::ScaledAdd).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn scaled_add(&self, scale: f32) {
        let isa = self.workers.isa();
        // SAFETY: as the caller promises.
        unsafe {
            if self.in_place(0) {
                let b = self.x(1);
                elementwise::run(self.workers, self.to(), self.len(), |to, at| {
                    elementwise::add_scaled(isa, to, &b[at], scale);
                });
            } else {
                self.binary(|to, a, b| elementwise::scaled_add(isa, to, a, b, scale));
            }
        }
    }

    /// See [`MovingAverage`](crate::ops::MovingAverage).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn moving_average(&self, decay: f32) {
        let isa = self.workers.isa();
        // SAFETY: as the caller promises.
        unsafe {
            self.take_over(0);
            if self.x::<f32>(2)[0] != 0.0 {
                let (value, part) = (self.x(1), 1.0 - decay);
                elementwise::run(self.workers, self.to(), self.len(), |to, at| {
                    elementwise::moving_average(isa, to, &value[at], part);
                });
            }
        }
    }

    /// See [`Optimizer`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn optimizer(&self, op: &Optimizer) {
        // SAFETY: as the caller promises.
        unsafe {
            self.take_over(0);
            if self.x::<f32>(3)[0] != 0.0 {
                optimizer::run(self.workers, op, self.to(), self.x(1), self.x(2));
            }
        }
    }

    /// See [`L2LossBwd`](crate::ops::L2LossBwd).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn l2_loss_bwd(&self) {
        // SAFETY: as the caller promises.
        unsafe { self.scale(self.x(1)[0]) }
    }

    /// Whether the output is in an input's place.
    fn in_place(&self, i: usize) -> bool {
        std::ptr::eq(self.inputs[i], self.output)
    }

    /// Makes an op that works in place on an input able to: its values are the output's.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn take_over(&self, i: usize) {
        if !self.in_place(i) {
            // SAFETY: as the caller promises.
            unsafe { elementwise::copy::<f32>(self.workers, self.to(), self.x(i)) }
        }
    }

    /// An op on each element of an input.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn unary(&self, of: impl Fn(&mut [f32], &[f32]) + Send + Sync) {
        // SAFETY: as the caller promises.
        unsafe {
            let x = self.x(0);
            elementwise::run(self.workers, self.to(), self.len(), |to, at| of(to, &x[at]));
        }
    }

    /// An op on each element of two inputs.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn binary(&self, of: impl Fn(&mut [f32], &[f32], &[f32]) + Send + Sync) {
        // SAFETY: as the caller promises.
        unsafe {
            let (a, b) = (self.x(0), self.x(1));
            elementwise::run(self.workers, self.to(), self.len(), |to, at| of(to, &a[at.clone()], &b[at]));
        }
    }
}
