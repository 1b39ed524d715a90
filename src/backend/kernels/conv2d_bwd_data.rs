//! Plain convolutions of dy: one where the stride is 1, else one for each phase, which a kernel then joins.

use super::convolution::{ConvGeometry, Epilogue};
use super::filters::{Filters, Taps};
use super::{Calls, Lower, Operand, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::{Conv2dBwdData, window};

fields! {
    Params { elements: u32, h: u32, w: u32, c: u32, stride_y: u32, stride_x: u32, pad_y: u32, pad_x: u32 }
}

/// Pixels of an axis whose place in the padded image leaves the same remainder by the stride: the taps that meet them,
/// which are a plain convolution of dy.
#[derive(Clone, Copy)]
struct Phase {
    /// Taps, and the last of them.
    taps: usize,
    last: usize,
    /// How far the first window begins before dy.
    before: isize,
    /// Pixels.
    out: usize,
}

impl Phase {
    /// The phase of this remainder, of an axis of `extent` pixels with `before` of padding.
    fn new(remainder: usize, extent: usize, kernel: usize, stride: usize, before: usize) -> Phase {
        // The first pixel, and the place of the window that its first tap is of.
        let first = (remainder + stride - before % stride) % stride;
        let window = (first + before) / stride;
        let taps = kernel.saturating_sub(remainder).div_ceil(stride);
        Phase {
            taps,
            last: remainder + stride * taps.saturating_sub(1),
            before: taps as isize - 1 - window as isize,
            out: extent.saturating_sub(first).div_ceil(stride),
        }
    }
}

impl Lower for Conv2dBwdData {
    type Params = Params;

    fn calls(&self, step: &Step, tuning: Tuning) -> Calls {
        let dx = || Operand::View(step.output.clone());
        let (dy, w) = (&step.inputs[0], &step.inputs[1]);
        let [n, h, width, c_in] = step.output.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let [c_out, k_h, k_w, _] = w.shape.nhwc().ok_or("w is not [c_out, k_h, k_w, c_in]")?;
        let [ay, ax] = window::axes([h, width], [k_h, k_w], self.stride, self.padding)?;
        let one = |y: Phase, x: Phase| {
            let (kernel, out, before) = ([y.taps, x.taps], [y.out, x.out], [y.before, x.before]);
            let taps = Taps { count: kernel, last: [y.last, x.last], step: self.stride };
            (ConvGeometry { x: dy.clone(), c_out: c_in, kernel, stride: [1, 1], before, out }, taps)
        };
        let phase_y = |remainder| Phase::new(remainder, h, k_h, self.stride[0], ay.before);
        let phase_x = |remainder| Phase::new(remainder, width, k_w, self.stride[1], ax.before);
        if self.stride == [1, 1] {
            let (geometry, taps) = one(phase_y(0), phase_x(0));
            let tile = geometry.tile(tuning);
            let (pack, filters) = Filters::backward(w, tile.packing, taps, tuning)?;
            let epilogue =
                Epilogue { y: (dx(), step.output.offset, step.output.stride), ..Epilogue::plain(dx(), c_in) };
            return Ok(vec![pack, geometry.call(tile, filters, epilogue, tuning)?]);
        }
        // Every phase's filters take the same scratch memory; the phases follow them.
        let words = (k_h * k_w * c_out.next_multiple_of(8) * c_in.next_multiple_of(8)).next_multiple_of(64);
        let (mut calls, mut table, mut values) = (Vec::new(), Vec::new(), 0);
        for y in (0..self.stride[0]).map(phase_y) {
            for x in (0..self.stride[1]).map(phase_x) {
                let elements = n * y.out * x.out * c_in;
                let empty = y.taps * x.taps * elements == 0;
                table.extend([if empty { u32::MAX } else { values as u32 }, y.out as u32, x.out as u32]);
                if empty {
                    continue;
                }
                let (geometry, taps) = one(y, x);
                let tile = geometry.tile(tuning);
                let (pack, filters) = Filters::backward(w, tile.packing, taps, tuning)?;
                let epilogue = Epilogue::plain(Operand::Further { words, values, elements }, c_in);
                calls.extend([pack, geometry.call(tile, filters, epilogue, tuning)?]);
                values += elements.next_multiple_of(64);
            }
        }
        let params = Params {
            elements: step.output.shape.elements() as u32,
            h: h as u32,
            w: width as u32,
            c: c_in as u32,
            stride_y: self.stride[0] as u32,
            stride_x: self.stride[1] as u32,
            pad_y: ay.before as u32,
            pad_x: ax.before as u32,
        };
        let phases = Operand::Further { words, values: 0, elements: values };
        let operands = vec![phases, Operand::Table(table), dx()];
        calls.push(call::<Self>("conv2d_bwd_data", params, operands, tuning.threads(step.output.shape.elements())?));
        Ok(calls)
    }
}
