//! Locally connected layers and their gradients.

use super::Work;
use crate::backend::cpu::local_conv2d::{self, Inputs, LocalGeometry};
use crate::backend::cpu::local_conv2d_bwd;
use crate::ops::LocalConv2d;

/// The geometry of a layer on `x: [n, h, w, c_in]` with these filters.
fn geometry(x: &[usize], w: &[usize], stride: [usize; 2]) -> LocalGeometry {
    let rank = "the plan checked the rank";
    LocalGeometry { x: x.try_into().expect(rank), w: w.try_into().expect(rank), stride }
}

impl Work<'_> {
    /// See [`LocalConv2d`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn local_conv2d(&self, op: &LocalConv2d, scratch: &mut [f32]) {
        let geometry = geometry(self.dims(0), self.dims(1), op.stride);
        // SAFETY: as the caller promises.
        unsafe {
            let [x, w, bias] = [0, 1, 2].map(|i| self.x(i));
            let inputs = Inputs { x, w, bias };
            local_conv2d::run(self.workers, geometry, inputs, op.activation, self.to(), scratch);
        }
    }

    /// See [`LocalConv2dBwdData`](crate::ops::LocalConv2dBwdData).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn local_conv2d_bwd_data(&self, stride: [usize; 2]) {
        let geometry = geometry(self.dims(2), self.dims(1), stride);
        // SAFETY: as the caller promises.
        unsafe { local_conv2d_bwd::data(self.workers, geometry, self.x(0), self.x(1), self.to()) }
    }

    /// See [`LocalConv2dBwdFilter`](crate::ops::LocalConv2dBwdFilter).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn local_conv2d_bwd_filter(&self, stride: [usize; 2]) {
        let geometry = geometry(self.dims(0), self.dims(2), stride);
        // SAFETY: as the caller promises.
        unsafe { local_conv2d_bwd::filter(self.workers, geometry, self.x(0), self.x(1), self.to()) }
    }

    /// See [`LocalConv2dBwdBias`](crate::ops::LocalConv2dBwdBias).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn local_conv2d_bwd_bias(&self) {
        // SAFETY: as the caller promises.
        unsafe { local_conv2d_bwd::bias(self.workers, self.dims(0)[0], self.x(0), self.to()) }
    }
}
