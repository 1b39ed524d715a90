//! Pools, channel-wise: a vector of channels of an output is a running reduction of the window's pixels.

use std::ops::Range;

use super::conv2d::{ConvGeometry, Output};
use super::simd::{Isa, Simd, per_isa};
use super::workers::Workers;

/// Which reduction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reduce {
    Max,
    Mean,
    /// Euclidean.
    Norm,
}

/// Runs a pool.
///
/// # Safety
/// `y` is writable for every output pixel and does not overlap `x`.
pub(super) unsafe fn run(workers: Workers, geometry: ConvGeometry, x: &[f32], reduce: Reduce, y: Output) {
    let [n, h, w, c] = geometry.x;
    let [ay, ax] = geometry.axes;
    assert_eq!(x.len(), n * h * w * c);
    let line = |line: usize| {
        let (oy, image) = (line % ay.out, line / ay.out);
        let rows = ay.span(oy, h, geometry.kernel[0], geometry.stride[0]);
        let image = &x[image * h * w * c..][..h * w * c];
        // SAFETY: a line's pixels are its own, and its windows lie within the image; the caller promises the rest.
        unsafe { Line { geometry: &geometry, image, rows, reduce, first: line * ax.out, y }.run(workers.isa()) }
    };
    workers.each(n * ay.out, line);
}

/// A row of outputs.
struct Line<'a> {
    geometry: &'a ConvGeometry,
    image: &'a [f32],
    /// The image's rows that it sees.
    rows: Range<usize>,
    reduce: Reduce,
    /// The row's first pixel.
    first: usize,
    y: Output,
}

impl Line<'_> {
    /// # Safety
    /// The machine has `isa`; the windows lie within the image, and the outputs are writable and overlap nothing.
    unsafe fn run(self, isa: Isa) {
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Line);

/// # Safety
/// As [`Line::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(line: Line) {
    let [_, _, w, c] = line.geometry.x;
    let ax = line.geometry.axes[1];
    for ox in 0..ax.out {
        let columns = ax.span(ox, w, line.geometry.kernel[1], line.geometry.stride[1]);
        let to = line.y.pixel(line.first + ox);
        let window = Window { image: line.image.as_ptr(), rows: line.rows.clone(), columns, w, c, reduce: line.reduce };
        // SAFETY: the caller's promises.
        unsafe {
            let mut channel = 0;
            while channel + V::LANES <= c {
                window.reduce::<V>(channel).store(to.add(channel));
                channel += V::LANES;
            }
            if channel < c && c >= V::LANES {
                // A whole vector once more, which ends where the channels do.
                window.reduce::<V>(c - V::LANES).store(to.add(c - V::LANES));
            } else {
                (channel..c).for_each(|channel| *to.add(channel) = window.reduce_one(channel));
            }
            let count = (window.rows.len() * window.columns.len()) as f32;
            let out = std::slice::from_raw_parts_mut(to, c);
            match line.reduce {
                Reduce::Max => {}
                Reduce::Mean => out.iter_mut().for_each(|y| *y /= count),
                Reduce::Norm => out.iter_mut().for_each(|y| *y = y.sqrt()),
            }
        }
    }
}

/// The pixels that an output sees.
struct Window {
    image: *const f32,
    rows: Range<usize>,
    columns: Range<usize>,
    w: usize,
    c: usize,
    reduce: Reduce,
}

impl Window {
    /// The maximum, the sum or the sum of squares of a vector of channels from `channel` on.
    ///
    /// # Safety
    /// The instruction set is there; the window lies in the image, and the vector within its channels.
    #[inline(always)]
    unsafe fn reduce<V: Simd>(&self, channel: usize) -> V {
        // SAFETY: the caller's promises.
        unsafe {
            let mut sum = V::splat(if self.reduce == Reduce::Max { f32::NEG_INFINITY } else { 0.0 });
            for iy in self.rows.clone() {
                for ix in self.columns.clone() {
                    let x = V::load(self.image.add((iy * self.w + ix) * self.c + channel));
                    sum = match self.reduce {
                        // In this order NaN never wins.
                        Reduce::Max => x.max(sum),
                        Reduce::Mean => sum.add(x),
                        Reduce::Norm => sum.add(x.mul(x)),
                    };
                }
            }
            sum
        }
    }

    /// As [`Window::reduce`], of one channel.
    ///
    /// # Safety
    /// As [`Window::reduce`].
    unsafe fn reduce_one(&self, channel: usize) -> f32 {
        let mut sum = if self.reduce == Reduce::Max { f32::NEG_INFINITY } else { 0.0 };
        for iy in self.rows.clone() {
            for ix in self.columns.clone() {
                // SAFETY: the caller's promises.
                let x = unsafe { *self.image.add((iy * self.w + ix) * self.c + channel) };
                match self.reduce {
                    Reduce::Max => sum = x.max(sum),
                    Reduce::Mean => sum += x,
                    Reduce::Norm => sum += x * x,
                }
            }
        }
        sum
    }
}
