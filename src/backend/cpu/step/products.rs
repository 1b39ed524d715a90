//! Convolutions, dense layers and their gradients.

use super::{Work, geometry};
use crate::backend::cpu::bf16;
use crate::backend::cpu::constants::Multiplied;
use crate::backend::cpu::conv2d::{self, ConvGeometry, Epilogue, Output};
use crate::backend::cpu::pack::{PanelLayout, Panels};
use crate::backend::cpu::simd::Isa;
use crate::backend::cpu::winograd::{self, Form, WinogradFilters};
use crate::backend::cpu::{conv2d_bwd_data, conv2d_bwd_filter, local_conv2d};
use crate::graph::{Region, Step};
use crate::ops::{Conv2d, Conv2dBwdData, Conv2dBwdFilter, Dense, Op, window};

/// Values that a step needs besides its inputs and output.
pub(super) fn scratch(isa: Isa, step: &Step) -> usize {
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
    /// A convolution or a dense layer, in the type that values are stored in.
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn multiply<E: Multiplied>(&self, scratch: &mut [f32]) {
        // SAFETY: as the caller promises.
        unsafe {
            match &self.step.op {
                Op::Conv2d(op) => self.conv2d::<E>(op, scratch),
                Op::Dense(op) => self.dense::<E>(op, scratch),
                op => unreachable!("{} is no such layer", op.stem()),
            }
        }
    }

    /// See [`Conv2d`]: by minimal filtering where the filters are packed so.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn conv2d<E: Multiplied>(&self, op: &Conv2d, scratch: &mut [f32]) {
        let geometry = self.window(0, [self.dims(1)[1], self.dims(1)[2]], op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe {
            match self.winograd_filters() {
                Some(w) => {
                    let y = Output::<E>::new(self.to(), self.step.output.stride);
                    winograd::run(self.workers, geometry, self.x(0), w, self.epilogue(op), y);
                }
                None => self.convolve::<E>(geometry, self.epilogue(op), scratch),
            }
        }
    }

    /// The filters of a convolution that goes by minimal filtering.
    fn winograd_filters(&self) -> Option<&WinogradFilters> {
        match (&self.step.op, self.step.inputs[1].region) {
            (Op::Conv2d(op), Region::Param(id)) => {
                let form = Form::of(self.dims(1), op.stride, self.multiplies());
                self.constants.winograd(id).filter(|w| form == Some(w.form))
            }
            _ => None,
        }
    }

    /// What follows a convolution's sums.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn epilogue<E: Multiplied>(&self, op: &Conv2d) -> Epilogue<'_, E> {
        // SAFETY: as the caller promises.
        unsafe {
            let [bias, alpha, residual] = op.optional_inputs();
            let [bias, alpha] = [bias, alpha].map(|i| i.map(|i| self.x(i)));
            let residual = op.residual_scale.zip(residual.map(|i| self.x::<E>(i)));
            Epilogue { bias, activation: op.activation, alpha, residual }
        }
    }

    /// Whether the layer multiplies in bf16.
    pub(super) fn multiplies(&self) -> bool {
        let constant = |i: usize| matches!(self.step.inputs[i].region, Region::Param(_));
        bf16::multiplies(&self.step.op, constant, |i| self.narrow(i))
    }

    /// See [`Dense`].
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn dense<E: Multiplied>(&self, op: &Dense, scratch: &mut [f32]) {
        let geometry = dense(self.dims(0)[0], self.dims(1));
        // SAFETY: as the caller promises.
        unsafe {
            let [bias, alpha] = op.optional_inputs().map(|i| i.map(|i| self.x(i)));
            let epilogue = Epilogue::<E> { bias, activation: op.activation, alpha, residual: None };
            self.convolve(geometry, epilogue, scratch);
        }
    }

    /// See [`Conv2dBwdData`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn conv2d_bwd_data(&self, op: &Conv2dBwdData, scratch: &mut [f32]) {
        let geometry = self.window(2, [self.dims(1)[1], self.dims(1)[2]], op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe { conv2d_bwd_data::run(self.workers, geometry, self.x(0), self.x(1), scratch, self.to()) }
    }

    /// See [`DenseBwdData`](crate::ops::DenseBwdData).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn dense_bwd_data(&self, scratch: &mut [f32]) {
        let geometry = dense(self.dims(2)[0], self.dims(1));
        // SAFETY: as the caller promises.
        unsafe { conv2d_bwd_data::run(self.workers, geometry, self.x(0), self.x(1), scratch, self.to()) }
    }

    /// See [`Conv2dBwdFilter`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn conv2d_bwd_filter(&self, op: &Conv2dBwdFilter, scratch: &mut [f32]) {
        let geometry = self.window(0, [self.dims(2)[1], self.dims(2)[2]], op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe { conv2d_bwd_filter::run(self.workers, geometry, self.x(0), self.x(1), scratch, self.to()) }
    }

    /// See [`DenseBwdFilter`](crate::ops::DenseBwdFilter).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn dense_bwd_filter(&self, scratch: &mut [f32]) {
        let geometry = dense(self.dims(0)[0], self.dims(2));
        // SAFETY: as the caller promises.
        unsafe { conv2d_bwd_filter::run(self.workers, geometry, self.x(0), self.x(1), scratch, self.to()) }
    }

    /// A convolution or a dense layer.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn convolve<E: Multiplied>(&self, geometry: ConvGeometry, epilogue: Epilogue<E>, scratch: &mut [f32]) {
        let y = Output::<E>::new(self.to(), self.step.output.stride);
        // SAFETY: as the caller promises.
        unsafe {
            let packed = match self.step.inputs[1].region {
                Region::Param(id) => self.constants.panels(id),
                Region::Arena | Region::State(_) => None,
            };
            let panels = packed.unwrap_or_else(|| {
                let (w, c_out) = (self.x::<f32>(1), self.dims(1)[0]);
                let layout = PanelLayout::of::<E>(self.workers.isa(), w.len(), c_out);
                Panels::forward(self.workers, layout, w, bytemuck::cast_slice_mut(scratch))
            });
            conv2d::run(self.workers, geometry, self.x(0), panels, epilogue, y);
        }
    }
}
