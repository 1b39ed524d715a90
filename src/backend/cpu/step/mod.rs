//! One step of a plan: how each op runs here.

mod local;
mod maps;
mod moves;
mod normalization;
mod products;
mod scalars;
mod widened;

use std::borrow::Cow;

use half::bf16;

use super::bf16::{is_narrow, takes_any};
use super::constants::Constants;
use super::conv2d::{ConvGeometry, Output};
use super::element::Element;
use super::pool2d::{self, Reduce};
use super::pool2d_bwd::{self, Pool};
use super::workers::Workers;
use crate::graph::Step;
use crate::ops::{AvgPool2d, AvgPool2dBwd, L2Pool2d, L2Pool2dBwd, MaxPool2d, MaxPool2dBwd, Op, window};
use crate::{Precision, Shape, Tensor};

pub(super) use widened::scratch;

/// A step with the memory that it works on.
pub(super) struct Work<'a> {
    pub workers: Workers<'a>,
    pub step: &'a Step,
    /// How values of the arena are stored.
    pub precision: Precision,
    /// Where each input begins.
    pub inputs: &'a [*const u8],
    /// Where the output begins.
    pub output: *mut u8,
    /// Constants, filters packed.
    pub constants: &'a Constants,
}

/// The geometry of a window over `x: [n, h, w, c]`.
fn geometry(x: &[usize], kernel: [usize; 2], stride: [usize; 2], padding: window::Padding) -> ConvGeometry {
    let x: [usize; 4] = x.try_into().expect("the plan checked the rank");
    let axes = window::axes([x[1], x[2]], kernel, stride, padding).expect("the plan checked that it fits");
    ConvGeometry { x, kernel, stride, axes }
}

impl<'a> Work<'a> {
    /// An input's values, stored so.
    ///
    /// # Safety
    /// They are there, and the op does not work in place on them.
    unsafe fn x<E: Element>(&self, i: usize) -> &'a [E] {
        // SAFETY: inputs are dense; the planner lets no output overlap them, but for what works in place.
        unsafe { std::slice::from_raw_parts(self.inputs[i].cast(), self.step.inputs[i].shape.elements()) }
    }

    /// An input's values, as the output's are stored.
    ///
    /// # Safety
    /// As [`Work::x`].
    unsafe fn alike<E: Element>(&self, i: usize) -> Cow<'a, [E]> {
        // SAFETY: as the caller promises.
        unsafe {
            match (self.narrow(i), E::STEP) {
                (true, 2) | (false, 1) => Cow::Borrowed(self.x(i)),
                (true, _) => self.x::<bf16>(i).iter().map(|x| E::rounded(x.widened())).collect(),
                (false, _) => self.x(i).iter().map(|&x| E::rounded(x)).collect(),
            }
        }
    }

    /// Whether an input is stored in bf16.
    fn narrow(&self, i: usize) -> bool {
        is_narrow(self.precision, &self.step.inputs[i])
    }

    /// Where the output begins.
    fn to<E: Element>(&self) -> *mut E {
        self.output.cast()
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

    /// Writes the output, of as many values.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn write(&self, values: &[f32]) {
        // SAFETY: as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.to::<f32>(), values.len()) }.copy_from_slice(values);
    }

    /// The geometry of a window over input `i`.
    fn window(&self, i: usize, kernel: [usize; 2], stride: [usize; 2], padding: window::Padding) -> ConvGeometry {
        geometry(self.dims(i), kernel, stride, padding)
    }

    /// Runs the step; `scratch` has as many values as [`scratch`] says.
    ///
    /// # Safety
    /// Inputs and output are as the planner placed them, and nothing else writes them meanwhile, or reads the output.
    pub unsafe fn run(self, scratch: &mut [f32]) {
        if self.len() == 0 {
            return;
        }
        let (empty, op) = (widened::lacks_values(self.step), &self.step.op);
        // SAFETY: as the caller promises.
        unsafe {
            match is_narrow(self.precision, &self.step.output) {
                true if takes_any(op) && !empty => self.any::<bf16>(),
                true if self.multiplies() && !empty => self.multiply::<bf16>(scratch),
                _ if takes_any(op) && !empty => self.any::<f32>(),
                _ if self.is_mixed() => self.widened(scratch),
                _ if empty => self.reference(),
                _ => self.f32(scratch),
            }
        }
    }

    /// An op on values in f32.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn f32(&self, scratch: &mut [f32]) {
        // SAFETY, throughout: the output has room for what its op makes, and overlaps no input but one that the op
        // works on in place.
        unsafe {
            match &self.step.op {
                Op::Conv2d(_) | Op::Dense(_) => self.multiply::<f32>(scratch),
                Op::Conv2dBwdData(op) => self.conv2d_bwd_data(op, scratch),
                Op::DenseBwdData(_) => self.dense_bwd_data(scratch),
                Op::Conv2dBwdFilter(op) => self.conv2d_bwd_filter(op, scratch),
                Op::DenseBwdFilter(_) => self.dense_bwd_filter(scratch),
                Op::LocalConv2d(op) => self.local_conv2d(op, scratch),
                Op::LocalConv2dBwdData(op) => self.local_conv2d_bwd_data(op.stride),
                Op::LocalConv2dBwdFilter(op) => self.local_conv2d_bwd_filter(op.stride),
                Op::LocalConv2dBwdBias(_) => self.local_conv2d_bwd_bias(),
                Op::MaxPool2dBwd(op) => self.max_pool2d_bwd(op),
                Op::AvgPool2dBwd(op) => self.avg_pool2d_bwd(op),
                Op::L2Pool2dBwd(op) => self.l2_pool2d_bwd(op),
                Op::Lrn(op) => self.lrn(op),
                Op::LrnBwd(op) => self.lrn_bwd(op),
                Op::BatchMoments(_) => self.batch_moments(),
                Op::BatchNormTrain(op) => self.batch_norm_train(op),
                Op::BatchNormBwdSums(op) => self.batch_norm_bwd_sums(&op.0),
                Op::BatchNormBwdData(op) => self.batch_norm_bwd_data(&op.0),
                Op::ChannelSum(_) => self.channel_sum(),
                Op::Relu(_) => self.relu(),
                Op::ReluBwd(_) => self.relu_bwd(),
                Op::Scale(op) => self.scale(op.factor),
                Op::ScaledAdd(op) => self.scaled_add(op.scale),
                Op::MovingAverage(op) => self.moving_average(op.decay),
                Op::Optimizer(op) => self.optimizer(op),
                Op::L2Loss(_) => self.l2_loss(),
                Op::L2LossBwd(_) => self.l2_loss_bwd(),
                Op::Mean(_) => self.mean(),
                Op::IsFinite(_) => self.is_finite(),
                _ => self.reference(),
            }
        }
    }

    /// An op that moves or reduces values, stored so.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn any<E: Element>(&self) {
        // SAFETY, throughout: as the caller promises.
        unsafe {
            match &self.step.op {
                Op::MaxPool2d(op) => self.max_pool2d::<E>(op),
                Op::AvgPool2d(op) => self.avg_pool2d::<E>(op),
                Op::L2Pool2d(op) => self.l2_pool2d::<E>(op),
                Op::Part(op) => self.part::<E>(op),
                Op::Slice(_) => self.slice::<E>(),
                Op::Pad2d(op) => self.pad2d::<E>(op),
                Op::Concat(_) => self.concat::<E>(),
                Op::Join(_) => self.join::<E>(),
                _ => self.same::<E>(),
            }
        }
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
        let y = Output::new(self.to(), self.step.output.stride);
        for (row, values) in result.data().chunks(self.step.output.shape.last().max(1)).enumerate() {
            // SAFETY: the output has this row.
            unsafe { std::slice::from_raw_parts_mut(y.pixel(row), values.len()) }.copy_from_slice(values);
        }
    }
}

/// Pools.
impl Work<'_> {
    /// See [`MaxPool2d`].
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn max_pool2d<E: Element>(&self, op: &MaxPool2d) {
        // SAFETY: as the caller promises.
        unsafe { self.pool::<E>(self.window(0, op.kernel, op.stride, op.padding), Reduce::Max) }
    }

    /// See [`AvgPool2d`].
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn avg_pool2d<E: Element>(&self, op: &AvgPool2d) {
        let kernel = op.kernel_on(self.dims(0)[1], self.dims(0)[2]);
        // SAFETY: as the caller promises.
        unsafe { self.pool::<E>(self.window(0, kernel, op.stride, op.padding), Reduce::Mean) }
    }

    /// See [`L2Pool2d`].
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn l2_pool2d<E: Element>(&self, op: &L2Pool2d) {
        // SAFETY: as the caller promises.
        unsafe { self.pool::<E>(self.window(0, op.kernel, op.stride, op.padding), Reduce::Norm) }
    }

    /// A pool of input 0.
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn pool<E: Element>(&self, geometry: ConvGeometry, reduce: Reduce) {
        let y = Output::<E>::new(self.to(), self.step.output.stride);
        // SAFETY: as the caller promises.
        unsafe { pool2d::run(self.workers, geometry, &self.alike(0), reduce, y) }
    }

    /// See [`MaxPool2dBwd`].
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn max_pool2d_bwd(&self, op: &MaxPool2dBwd) {
        let geometry = self.window(0, op.kernel, op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe {
            let pool = Pool::Max { x: self.x(0), y: self.x(1) };
            pool2d_bwd::run(self.workers, geometry, pool, self.x(2), self.to());
        }
    }

    /// See [`L2Pool2dBwd`].
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn l2_pool2d_bwd(&self, op: &L2Pool2dBwd) {
        let geometry = self.window(0, op.kernel, op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe {
            let pool = Pool::Norm { x: self.x(0), y: self.x(1) };
            pool2d_bwd::run(self.workers, geometry, pool, self.x(2), self.to());
        }
    }

    /// See [`AvgPool2dBwd`].
    ///
    /// # Safety
    /// As [`Work::run`].
    unsafe fn avg_pool2d_bwd(&self, op: &AvgPool2dBwd) {
        let kernel = op.kernel_on(self.dims(1)[1], self.dims(1)[2]);
        let geometry = self.window(1, kernel, op.stride, op.padding);
        // SAFETY: as the caller promises.
        unsafe { pool2d_bwd::run(self.workers, geometry, Pool::Mean, self.x(0), self.to()) }
    }
}
