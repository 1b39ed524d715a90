//! One step of a plan: which form each op takes here.

use std::collections::HashMap;

use super::batch_norm::{self, Layer};
use super::conv2d::{self, Epilogue, Geometry, Output};
use super::elementwise::{self, Rows};
use super::pack::{Form, Packed, Panels};
use super::pool2d::{self, Reduce};
use super::pool2d_bwd::{self, Pool};
use super::simd::Isa;
use super::workers::Workers;
use super::{channels, conv2d_bwd_data, conv2d_bwd_filter, optimizer, reduce};
use crate::graph::{NodeId, Region, Step};
use crate::ops::{Activation, BatchNormTrain, Join, Op, Slice, window};
use crate::{Shape, Tensor};

/// A step with the memory that it works on.
pub(super) struct Work<'a> {
    pub workers: Workers<'a>,
    pub step: &'a Step,
    /// Where each input begins.
    pub inputs: &'a [*const f32],
    /// Where the output begins.
    pub output: *mut f32,
    /// Filters that are constants.
    pub packed: &'a HashMap<NodeId, Packed>,
}

/// Values that a step needs besides its inputs and output.
pub(super) fn scratch(isa: Isa, step: &Step) -> usize {
    let dims = |i: usize| step.inputs[i].shape.dims();
    match &step.op {
        Op::Conv2d(_) | Op::Dense(_) if !matches!(step.inputs[1].region, Region::Param(_)) => {
            Form::new(isa, dims(1)[1..].iter().product(), dims(1)[0]).len()
        }
        Op::Conv2dBwdData(_) | Op::DenseBwdData(_) => conv2d_bwd_data::scratch(isa, &filters(dims(1))),
        Op::Conv2dBwdFilter(_) | Op::DenseBwdFilter(_) => {
            conv2d_bwd_filter::scratch(step.inputs[1].rows(), step.output.shape.elements())
        }
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

/// The geometry of a window over `x: [n, h, w, c]`.
fn geometry(x: &[usize], kernel: [usize; 2], stride: [usize; 2], padding: window::Padding) -> Geometry {
    let x: [usize; 4] = x.try_into().expect("the plan checked the rank");
    let axes = window::axes([x[1], x[2]], kernel, stride, padding).expect("the plan checked that it fits");
    Geometry { x, kernel, stride, axes }
}

/// The geometry of a dense layer with a weight `[c_out, k]` over `n` rows.
fn dense(n: usize, w: &[usize]) -> Geometry {
    geometry(&[n, 1, 1, w[1]], [1, 1], [1, 1], window::Padding::Valid)
}

impl<'a> Work<'a> {
    /// An input's values.
    ///
    /// # Safety
    /// They are there, and the op does not work in place on them.
    unsafe fn x(&self, i: usize) -> &'a [f32] {
        // SAFETY: inputs are dense; the planner lets no output overlap them, but for what works in place.
        unsafe { std::slice::from_raw_parts(self.inputs[i], self.step.inputs[i].shape.elements()) }
    }

    fn shape(&self, i: usize) -> &'a Shape {
        &self.step.inputs[i].shape
    }

    fn dims(&self, i: usize) -> &'a [usize] {
        self.shape(i).dims()
    }

    /// Values of the output.
    fn len(&self) -> usize {
        self.step.output.shape.elements()
    }

    /// Runs the step; `scratch` has as many values as [`scratch`] says.
    ///
    /// # Safety
    /// Inputs and output are as the planner placed them, and nobody else uses them meanwhile, but to read inputs.
    pub unsafe fn run(self, scratch: &mut [f32]) {
        if self.step.inputs.iter().any(|view| view.shape.elements() == 0) {
            // SAFETY: as the caller promises.
            return unsafe { self.reference() };
        }
        let workers = self.workers;
        let isa = workers.isa();
        let (y, len) = (self.output, self.len());
        // SAFETY: as `x` asks: only inputs that are not worked on in place are read as slices.
        let x = |i: usize| unsafe { Work::x(&self, i) };
        let value = |v: f32| {
            // SAFETY: an output of one value.
            unsafe { *y = v };
        };
        let values = |v: Vec<f32>| {
            // SAFETY: as many as the output has.
            unsafe { std::slice::from_raw_parts_mut(y, v.len()) }.copy_from_slice(&v);
        };
        let window = |i: usize, kernel, stride, padding| geometry(self.dims(i), kernel, stride, padding);
        // SAFETY, throughout: the output has room for what its op makes, and overlaps no input but one that the op works
        // on in place.
        unsafe {
            match &self.step.op {
                Op::Conv2d(op) => {
                    let geometry = window(0, [self.dims(1)[1], self.dims(1)[2]], op.stride, op.padding);
                    let [b, alpha, residual] = op.optional_inputs();
                    let residual = op.residual_scale.zip(residual.map(x));
                    let epilogue =
                        Epilogue { bias: b.map(x), activation: op.activation, alpha: alpha.map(x), residual };
                    self.convolve(geometry, epilogue, scratch);
                }
                Op::Dense(op) => {
                    let [b, alpha] = op.optional_inputs();
                    let epilogue =
                        Epilogue { bias: b.map(x), activation: op.activation, alpha: alpha.map(x), residual: None };
                    self.convolve(dense(self.dims(0)[0], self.dims(1)), epilogue, scratch);
                }
                Op::Conv2dBwdData(op) => {
                    let geometry = window(2, [self.dims(1)[1], self.dims(1)[2]], op.stride, op.padding);
                    conv2d_bwd_data::run(workers, geometry, x(0), x(1), scratch, y);
                }
                Op::DenseBwdData(_) => {
                    let geometry = dense(self.dims(2)[0], self.dims(1));
                    conv2d_bwd_data::run(workers, geometry, x(0), x(1), scratch, y);
                }
                Op::Conv2dBwdFilter(op) => {
                    let geometry = window(0, [self.dims(2)[1], self.dims(2)[2]], op.stride, op.padding);
                    conv2d_bwd_filter::run(workers, geometry, x(0), x(1), scratch, y);
                }
                Op::DenseBwdFilter(_) => {
                    let geometry = dense(self.dims(0)[0], self.dims(2));
                    conv2d_bwd_filter::run(workers, geometry, x(0), x(1), scratch, y);
                }
                Op::MaxPool2d(op) => {
                    let y = Output::new(y, self.step.output.stride);
                    pool2d::run(workers, window(0, op.kernel, op.stride, op.padding), x(0), Reduce::Max, y);
                }
                Op::AvgPool2d(op) => {
                    let kernel = op.kernel_on(self.dims(0)[1], self.dims(0)[2]);
                    let y = Output::new(y, self.step.output.stride);
                    pool2d::run(workers, window(0, kernel, op.stride, op.padding), x(0), Reduce::Mean, y);
                }
                Op::MaxPool2dBwd(op) => {
                    let geometry = window(0, op.kernel, op.stride, op.padding);
                    pool2d_bwd::run(workers, geometry, Pool::Max { x: x(0), y: x(1) }, x(2), y);
                }
                Op::AvgPool2dBwd(op) => {
                    let kernel = op.kernel_on(self.dims(1)[1], self.dims(1)[2]);
                    pool2d_bwd::run(workers, window(1, kernel, op.stride, op.padding), Pool::Mean, x(0), y);
                }
                Op::BatchMoments(_) => values(batch_norm::moments(workers, x(0), self.shape(0).last())),
                Op::BatchNormTrain(op) => self.layer(op).forward(workers, y, self.step.output.stride),
                Op::BatchNormBwdSums(op) => values(self.layer(&op.0).sums(workers, x(op.0.inputs()))),
                Op::BatchNormBwdData(op) => {
                    let sums = op.0.inputs();
                    self.layer(&op.0).backward(workers, x(sums), x(sums + 1), y);
                }
                Op::ChannelSum(_) => values(channels::sum(workers, x(0), self.shape(0).last())),
                Op::Relu(_) => self.unary(|to, x| elementwise::relu(isa, to, x)),
                Op::ReluBwd(_) => self.binary(|to, y, dy| elementwise::relu_bwd(isa, to, y, dy)),
                Op::Scale(op) => self.unary(|to, x| elementwise::scale(isa, to, x, op.factor)),
                Op::ScaledAdd(op) if self.in_place(0) => {
                    let b = x(1);
                    elementwise::run(workers, y, len, |to, at| elementwise::add_scaled(isa, to, &b[at], op.scale));
                }
                Op::ScaledAdd(op) => self.binary(|to, a, b| elementwise::scaled_add(isa, to, a, b, op.scale)),
                Op::MovingAverage(op) => {
                    self.take_over(0);
                    if x(2)[0] != 0.0 {
                        let (value, part) = (x(1), 1.0 - op.decay);
                        elementwise::run(workers, y, len, |to, at| {
                            elementwise::moving_average(isa, to, &value[at], part);
                        });
                    }
                }
                Op::Optimizer(op) => {
                    self.take_over(0);
                    if x(3)[0] != 0.0 {
                        optimizer::run(workers, op, y, x(1), x(2));
                    }
                }
                Op::L2Loss(_) => {
                    value((reduce::total(workers, x(0), |x| reduce::squares(isa, x)) / 2.0) as f32);
                }
                Op::L2LossBwd(_) => {
                    let factor = x(1)[0];
                    self.unary(|to, x| elementwise::scale(isa, to, x, factor));
                }
                Op::Mean(_) => {
                    let sum = reduce::total(workers, x(0), |x| reduce::sum(isa, x));
                    value((sum / x(0).len().max(1) as f64) as f32);
                }
                Op::IsFinite(_) => value(if reduce::is_finite(workers, x(0)) { 1.0 } else { 0.0 }),
                Op::Flatten(_) | Op::Cast(_) => elementwise::copy(workers, y, x(0)),
                Op::Part(op) => {
                    let first = op.offset(self.shape(0));
                    elementwise::copy(workers, y, &x(0)[first..first + len]);
                }
                Op::Slice(_) => {
                    let shapes: Vec<&Shape> = self.step.inputs.iter().map(|view| &view.shape).collect();
                    let (first, channels) = (Slice::first(&shapes), self.step.output.shape.last());
                    Rows { from: x(0), first, stride: shapes[0].last(), channels }.copy(workers, y, channels);
                }
                Op::Concat(_) => {
                    let mut first = 0;
                    for i in 0..self.inputs.len() {
                        let (to, channels) = (y.add(first), self.shape(i).last());
                        // Some were made in place.
                        if !std::ptr::eq(to, self.inputs[i]) {
                            let rows = Rows { from: x(i), first: 0, stride: channels, channels };
                            rows.copy(workers, to, self.step.output.stride);
                        }
                        first += channels;
                    }
                }
                Op::Join(_) => {
                    let (starts, end) = Join::layout(self.step.inputs.iter().map(|view| &view.shape));
                    for (i, &start) in starts.iter().enumerate() {
                        let (to, values) = (y.add(start), self.shape(i).elements());
                        // Most were made in place.
                        if !std::ptr::eq(to, self.inputs[i]) {
                            elementwise::copy(workers, to, x(i));
                        }
                        let next = starts.get(i + 1).copied().unwrap_or(end);
                        to.add(values).write_bytes(0, next - start - values);
                    }
                }
                _ => self.reference(),
            }
        }
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
            unsafe { elementwise::copy(self.workers, self.output, self.x(i)) }
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
            elementwise::run(self.workers, self.output, self.len(), |to, at| of(to, &x[at]));
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
            elementwise::run(self.workers, self.output, self.len(), |to, at| of(to, &a[at.clone()], &b[at]));
        }
    }

    /// A convolution or a dense layer.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn convolve(&self, geometry: Geometry, epilogue: Epilogue, scratch: &mut [f32]) {
        let y = Output::new(self.output, self.step.output.stride);
        // SAFETY: as the caller promises.
        unsafe {
            let w = self.x(1);
            let panels = match self.step.inputs[1].region {
                Region::Param(id) => self.packed[&id].panels(),
                Region::Arena | Region::State(_) => {
                    let c_out = self.dims(1)[0];
                    let form = Form::new(self.workers.isa(), w.len() / c_out.max(1), c_out);
                    Panels::forward(self.workers, form, w, scratch)
                }
            };
            conv2d::run(self.workers, geometry, self.x(0), panels, epilogue, y);
        }
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

    /// What is small.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn reference(&self) {
        let inputs: Vec<Tensor> = (0..self.inputs.len())
            // SAFETY: copied before anything is written.
            .map(|i| Tensor::new(self.shape(i).clone(), unsafe { self.x(i) }.to_vec()))
            .collect();
        let result = self.step.op.reference(&inputs.iter().collect::<Vec<_>>());
        let y = Output::new(self.output, self.step.output.stride);
        for (row, values) in result.data().chunks(self.step.output.shape.last().max(1)).enumerate() {
            // SAFETY: the output has this row.
            unsafe { std::slice::from_raw_parts_mut(y.pixel(row), values.len()) }.copy_from_slice(values);
        }
    }
}
