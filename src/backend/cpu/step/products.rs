//! Convolutions, dense layers and their gradients.

use super::{Work, geometry};
use crate::backend::cpu::conv2d::{self, ConvGeometry, Epilogue, Output};
use crate::backend::cpu::filters::Filters;
use crate::backend::cpu::pack::{PanelLayout, Panels};
use crate::backend::cpu::simd::Isa;
use crate::backend::cpu::{conv2d_bwd_data, conv2d_bwd_filter, local_conv2d, winograd};
use crate::graph::{Region, Step};
use crate::ops::{Conv2d, Conv2dBwdData, Conv2dBwdFilter, Dense, Op, window};

/// Values that a step needs besides its inputs and output.
pub(in crate::backend::cpu) fn scratch(isa: Isa, step: &Step) -> usize {
    let dims = |i: usize| step.inputs[i].shape.dims();
    match &step.op {
        Op::Conv2d(_) | Op::Dense(_) if !matches!(step.inputs[1].region, Region::Param(_)) => {
            PanelLayout::new(isa, dims(1)[1..].iter().product(), dims(1)[0]).len()
        }
        Op::Conv2dBwdData(_) | Op::DenseBwdData(_) => conv2d_bwd_data::scratch(isa, &filters(dims(1))),
        Op::Conv2dBwdFilter(_) | Op::DenseBwdFilter(_) => {
            conv2d_bwd_filter::scratch(step.inputs[1].rows(), step.output.shape.elements())
        }
        Op::LocalConv2d(_) => local_conv2d::scratch(isa, dims(0)),
        _ => 0,
    }
}

/// Filters' extents `[c_out, k_h, k_w, c_in]`; a dense layer's weight has one tap.
fn filters(dims: &[usize]) -> [usize; 4] {
    match *dims {
        [c_out, k_h, k_w, c_in] => [c_out, k_h, k_w, c_in],
        [c_out, k] => [c_out, 1, 1, k],
        _ => unreachable!("the plan checked the rank"),
    }
}

/// The geometry of a dense layer with a weight `[c_out, k]` over `n` rows.
fn dense(n: usize, w: &[usize]) -> ConvGeometry {
    geometry(&[n, 1, 1, w[1]], [1, 1], [1, 1], window::Padding::Valid)
}

impl Work<'_> {
    /// See [`Conv2d`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn conv2d(&self, op: &Conv2d, scratch: &mut [f32]) {
        let geometry = self.window(0, [self.dims(1)[1], self.dims(1)[2]], op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe {
            let [bias, alpha, residual] = op.optional_inputs().map(|i| i.map(|i| self.x(i)));
            let residual = op.residual_scale.zip(residual);
            self.convolve(geometry, Epilogue { bias, activation: op.activation, alpha, residual }, scratch);
        }
    }

    /// See [`Dense`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn dense(&self, op: &Dense, scratch: &mut [f32]) {
        let geometry = dense(self.dims(0)[0], self.dims(1));
        // SAFETY: as the caller promises.
        unsafe {
            let [bias, alpha] = op.optional_inputs().map(|i| i.map(|i| self.x(i)));
            self.convolve(geometry, Epilogue { bias, activation: op.activation, alpha, residual: None }, scratch);
        }
    }

    /// See [`Conv2dBwdData`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn conv2d_bwd_data(&self, op: &Conv2dBwdData, scratch: &mut [f32]) {
        let geometry = self.window(2, [self.dims(1)[1], self.dims(1)[2]], op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe { conv2d_bwd_data::run(self.workers, geometry, self.x(0), self.x(1), scratch, self.output) }
    }

    /// See [`DenseBwdData`](crate::ops::DenseBwdData).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn dense_bwd_data(&self, scratch: &mut [f32]) {
        let geometry = dense(self.dims(2)[0], self.dims(1));
        // SAFETY: as the caller promises.
        unsafe { conv2d_bwd_data::run(self.workers, geometry, self.x(0), self.x(1), scratch, self.output) }
    }

    /// See [`Conv2dBwdFilter`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn conv2d_bwd_filter(&self, op: &Conv2dBwdFilter, scratch: &mut [f32]) {
        let geometry = self.window(0, [self.dims(2)[1], self.dims(2)[2]], op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe { conv2d_bwd_filter::run(self.workers, geometry, self.x(0), self.x(1), scratch, self.output) }
    }

    /// See [`DenseBwdFilter`](crate::ops::DenseBwdFilter).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn dense_bwd_filter(&self, scratch: &mut [f32]) {
        let geometry = dense(self.dims(0)[0], self.dims(2));
        // SAFETY: as the caller promises.
        unsafe { conv2d_bwd_filter::run(self.workers, geometry, self.x(0), self.x(1), scratch, self.output) }
    }

    /// A convolution or a dense layer.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn convolve(&self, geometry: ConvGeometry, epilogue: Epilogue, scratch: &mut [f32]) {
        let y = Output::new(self.output, self.step.output.stride);
        // SAFETY: as the caller promises.
        unsafe {
            let packed = match self.step.inputs[1].region {
                Region::Param(id) => self.constants.filters(id),
                Region::Arena | Region::State(_) => None,
            };
            if let Some(Filters::Winograd(w)) = packed {
                return winograd::run(self.workers, geometry, self.x(0), w, epilogue, y);
            }
            let panels = packed.and_then(Filters::panels).unwrap_or_else(|| {
                let (w, c_out) = (self.x(1), self.dims(1)[0]);
                let layout = PanelLayout::new(self.workers.isa(), w.len() / c_out.max(1), c_out);
                Panels::forward(self.workers, layout, w, scratch)
            });
            conv2d::run(self.workers, geometry, self.x(0), panels, epilogue, y);
        }
    }
}
