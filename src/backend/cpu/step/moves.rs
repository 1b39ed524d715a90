//! Ops that move values.

use super::Work;
use crate::Shape;
use crate::backend::cpu::element::Element;
use crate::backend::cpu::elementwise::{self, Rows};
use crate::backend::cpu::workers::Shared;
use crate::ops::{Join, Pad2d, Part, Slice};

impl Work<'_> {
    /// The values of input 0, under whichever extents.
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn same<E: Element>(&self) {
        // SAFETY: as the caller promises.
        unsafe { elementwise::copy::<E>(self.workers, self.to(), &self.alike(0)) }
    }

    /// See [`Part`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn part<E: Element>(&self, op: &Part) {
        let first = op.offset(self.shape(0));
        // SAFETY: as the caller promises.
        unsafe { elementwise::copy::<E>(self.workers, self.to(), &self.alike(0)[first..first + self.len()]) }
    }

    /// See [`Slice`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn slice<E: Element>(&self) {
        let shapes: Vec<&Shape> = self.step.inputs.iter().map(|view| &view.shape).collect();
        let (first, channels) = (Slice::first(&shapes), self.step.output.shape.last());
        // SAFETY: as the caller promises.
        unsafe {
            let rows = Rows::<E> { from: &self.alike(0), first, stride: shapes[0].last(), channels };
            rows.copy(self.workers, self.to(), channels);
        }
    }

    /// See [`Pad2d`].
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn pad2d<E: Element>(&self, op: &Pad2d) {
        let (&[_, h, w, c], &[n, h_out, w_out, _]) = (self.dims(0), self.step.output.shape.dims()) else {
            unreachable!("the plan checked the rank")
        };
        let [[top, _], [left, _]] = op.borders.map(|borders| borders.map(|border| border as isize));
        // The first and one past the last pixel of an output's row that lie within the image's.
        let (first, end) = (left.max(0) as usize, (w as isize + left).min(w_out as isize) as usize);
        let from = (first as isize - left) as usize;
        // SAFETY: as the caller promises.
        let (x, to) = (unsafe { self.alike(0) }, Shared::<E>::new(self.to()));
        self.workers.each(n * h_out, |line| {
            // SAFETY: each row is one task's.
            let row = unsafe { to.slice(line * w_out * c..(line + 1) * w_out * c) };
            let iy = (line % h_out) as isize - top;
            if !(0..h as isize).contains(&iy) {
                return row.fill(E::default());
            }
            let x = &x[((line / h_out * h + iy as usize) * w + from) * c..][..(end - first) * c];
            row[..first * c].fill(E::default());
            row[first * c..end * c].copy_from_slice(x);
            row[end * c..].fill(E::default());
        });
    }

    /// See [`Concat`](crate::ops::Concat).
    ///
    /// # Safety
    /// As [`Work::run`].
    pub(super) unsafe fn concat<E: Element>(&self) {
        let mut first = 0;
        for i in 0..self.inputs.len() {
            let channels = self.shape(i).last();
            // SAFETY: as the caller promises.
            unsafe {
                let to = self.to::<E>().add(first);
                // Some were made in place.
                if !std::ptr::eq(to, self.inputs[i].cast()) {
                    let rows = Rows { from: &self.alike(i), first: 0, stride: channels, channels };
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
    pub(super) unsafe fn join<E: Element>(&self) {
        let (starts, end) = Join::layout(self.step.inputs.iter().map(|view| &view.shape));
        for (i, &start) in starts.iter().enumerate() {
            let values = self.shape(i).elements();
            let next = starts.get(i + 1).copied().unwrap_or(end);
            // SAFETY: as the caller promises.
            unsafe {
                let to = self.to::<E>().add(start);
                // Most were made in place.
                if !std::ptr::eq(to, self.inputs[i].cast()) {
                    elementwise::copy(self.workers, to, &self.alike(i));
                }
                to.add(values).write_bytes(0, next - start - values);
            }
        }
    }
}
