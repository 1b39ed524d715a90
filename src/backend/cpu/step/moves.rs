//! Ops that move values.

use super::Work;
use crate::Shape;
use crate::backend::cpu::elementwise::{self, Rows};
use crate::backend::cpu::workers::Shared;
use crate::ops::{Join, Pad2d, Part, Slice};

impl Work<'_> {
    /// The values of input 0, under whichever extents.
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn same(&self) {
        // SAFETY: as the caller promises.
        unsafe { elementwise::copy(self.workers, self.output, self.x(0)) }
    }

    /// See [`Part`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn part(&self, op: &Part) {
        let first = op.offset(self.shape(0));
        // SAFETY: as the caller promises.
        unsafe { elementwise::copy(self.workers, self.output, &self.x(0)[first..first + self.len()]) }
    }

    /// See [`Slice`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn slice(&self) {
        let shapes: Vec<&Shape> = self.step.inputs.iter().map(|view| &view.shape).collect();
        let (first, channels) = (Slice::first(&shapes), self.step.output.shape.last());
        // SAFETY: as the caller promises.
        unsafe {
            let rows = Rows { from: self.x(0), first, stride: shapes[0].last(), channels };
            rows.copy(self.workers, self.output, channels);
        }
    }

    /// See [`Pad2d`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn pad2d(&self, op: &Pad2d) {
        let (&[_, h, w, c], &[n, h_out, w_out, _]) = (self.dims(0), self.step.output.shape.dims()) else {
            unreachable!("the plan checked the rank")
        };
        let [[top, _], [left, _]] = op.borders.map(|borders| borders.map(|border| border as isize));
        // The first and one past the last pixel of an output's row that lie within the image's.
        let (first, end) = (left.max(0) as usize, (w as isize + left).min(w_out as isize) as usize);
        let from = (first as isize - left) as usize;
        // SAFETY: as the caller promises.
        let (x, to) = (unsafe { self.x(0) }, Shared::new(self.output));
        self.workers.each(n * h_out, |line| {
            // SAFETY: each row is one task's.
            let row = unsafe { to.slice(line * w_out * c..(line + 1) * w_out * c) };
            let iy = (line % h_out) as isize - top;
            if !(0..h as isize).contains(&iy) {
                return row.fill(0.0);
            }
            let x = &x[((line / h_out * h + iy as usize) * w + from) * c..][..(end - first) * c];
            row[..first * c].fill(0.0);
            row[first * c..end * c].copy_from_slice(x);
            row[end * c..].fill(0.0);
        });
    }

    /// See [`Concat`](crate::ops::Concat).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn concat(&self) {
        let mut first = 0;
        for i in 0..self.inputs.len() {
            let channels = self.shape(i).last();
            // SAFETY: as the caller promises.
            unsafe {
                let to = self.output.add(first);
                // Some were made in place.
                if !std::ptr::eq(to, self.inputs[i]) {
                    let rows = Rows { from: self.x(i), first: 0, stride: channels, channels };
                    rows.copy(self.workers, to, self.step.output.stride);
                }
            }
            first += channels;
        }
    }

    /// See [`Join`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn join(&self) {
        let (starts, end) = Join::layout(self.step.inputs.iter().map(|view| &view.shape));
        for (i, &start) in starts.iter().enumerate() {
            let values = self.shape(i).elements();
            let next = starts.get(i + 1).copied().unwrap_or(end);
            // SAFETY: as the caller promises.
            unsafe {
                let to = self.output.add(start);
                // Most were made in place.
                if !std::ptr::eq(to, self.inputs[i]) {
                    elementwise::copy(self.workers, to, self.x(i));
                }
                to.add(values).write_bytes(0, next - start - values);
            }
        }
    }
}
