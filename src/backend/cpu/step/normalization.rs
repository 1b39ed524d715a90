//! Normalization, and sums of channels.

use super::Work;
use crate::backend::cpu::batch_norm::{self, Layer};
use crate::backend::cpu::channels;
use crate::backend::cpu::lrn::Lrn as Response;
use crate::ops::{Activation, BatchNormTrain, Lrn, LrnBwd};

impl<'a> Work<'a> {
    /// See [`BatchMoments`](crate::ops::BatchMoments).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn batch_moments(&self) {
        // SAFETY: as the caller promises.
        unsafe { self.write(&batch_norm::moments(self.workers, self.x(0), self.shape(0).last())) }
    }

    /// See [`BatchNormTrain`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn batch_norm_train(&self, op: &BatchNormTrain) {
        // SAFETY: as the caller promises.
        unsafe { self.layer(op).forward(self.workers, self.to(), self.step.output.stride) }
    }

    /// See [`BatchNormBwdSums`](crate::ops::BatchNormBwdSums).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn batch_norm_bwd_sums(&self, op: &BatchNormTrain) {
        // SAFETY: as the caller promises.
        unsafe { self.write(&self.layer(op).sums(self.workers, self.x(op.inputs()))) }
    }

    /// See [`BatchNormBwdData`](crate::ops::BatchNormBwdData).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn batch_norm_bwd_data(&self, op: &BatchNormTrain) {
        let sums = op.inputs();
        // SAFETY: as the caller promises.
        unsafe { self.layer(op).backward(self.workers, self.x(sums), self.x(sums + 1), self.to()) }
    }

    /// See [`ChannelSum`](crate::ops::ChannelSum).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn channel_sum(&self) {
        // SAFETY: as the caller promises.
        unsafe { self.write(&channels::sum(self.workers, self.x(0), self.shape(0).last())) }
    }

    /// See [`Lrn`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn lrn(&self, op: &Lrn) {
        let response = Response::new(self.shape(0).last(), op.radius, [op.bias, op.alpha, op.beta]);
        // SAFETY: as the caller promises.
        unsafe { response.forward(self.workers, self.x(0), self.to()) }
    }

    /// See [`LrnBwd`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn lrn_bwd(&self, op: &LrnBwd) {
        let response = Response::new(self.shape(0).last(), op.radius, [op.bias, op.alpha, op.beta]);
        // SAFETY: as the caller promises.
        unsafe { response.backward(self.workers, self.x(0), self.x(1), self.to()) }
    }

    /// What batch normalization and its gradients begin with.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn layer(&self, op: &BatchNormTrain) -> Layer<'a> {
        debug_assert!(op.activation != Activation::PRelu);
        // SAFETY: as the caller promises.
        unsafe { Layer::new(op, self.x(0), self.x(1), self.x(2), op.scale.then(|| self.x(3))) }
    }
}
