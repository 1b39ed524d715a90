//! Pools: each output is a running reduction over its window, a group of channels at a time, which stays in registers.

use super::conv2d::{ConvGeometry, Output};
use super::element::Element;
use super::vectorized::vectorized;
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
pub(super) unsafe fn run<E: Element>(workers: Workers, geometry: ConvGeometry, x: &[E], reduce: Reduce, y: Output<E>) {
    let [n, h, w, c] = geometry.x;
    let [ay, ax] = geometry.axes;
    assert_eq!(x.len(), n * h * w * c);
    let line = |line: usize| {
        let (oy, image) = (line % ay.out, line / ay.out);
        let rows = ay.span(oy, h, geometry.kernel[0], geometry.stride[0]);
        let rows: Vec<&[E]> = rows.map(|iy| &x[(image * h + iy) * w * c..][..w * c]).collect();
        let mut window = Vec::with_capacity(geometry.kernel[0] * geometry.kernel[1]);
        for ox in 0..ax.out {
            let columns = ax.span(ox, w, geometry.kernel[1], geometry.stride[1]);
            window.clear();
            rows.iter().for_each(|row| window.extend(row[columns.start * c..columns.end * c].chunks_exact(c)));
            // SAFETY: each output pixel is written by one line alone; the caller promises the rest.
            let out = unsafe { std::slice::from_raw_parts_mut(y.pixel(line * ax.out + ox), c) };
            match reduce {
                Reduce::Max => max(workers.isa(), out, &window),
                Reduce::Mean => mean(workers.isa(), out, &window),
                Reduce::Norm => norm(workers.isa(), out, &window),
            }
        }
    };
    workers.each(n * ay.out, line);
}

vectorized! {
    fn max[E: Element](to: &mut [E], window: &[&[E]]) {
        reduce::<E, Max>(to, window);
    }

    fn mean[E: Element](to: &mut [E], window: &[&[E]]) {
        reduce::<E, Mean>(to, window);
    }

    fn norm[E: Element](to: &mut [E], window: &[&[E]]) {
        reduce::<E, Norm>(to, window);
    }
}

/// A running reduction. Functions, not closures: those are compiled without the instruction set unless they happen to be
/// inlined.
trait Reduction {
    /// What it begins with.
    const FIRST: f32;
    /// Takes what was reduced so far and a value.
    fn add(sum: f32, x: f32) -> f32;
    /// From what was reduced, of `count` values, to the output.
    fn finish(sum: f32, count: f32) -> f32;
}

struct Max;
struct Mean;
struct Norm;

impl Reduction for Max {
    const FIRST: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn add(sum: f32, x: f32) -> f32 {
        sum.max(x)
    }
    #[inline(always)]
    fn finish(sum: f32, _: f32) -> f32 {
        sum
    }
}

impl Reduction for Mean {
    const FIRST: f32 = 0.0;
    #[inline(always)]
    fn add(sum: f32, x: f32) -> f32 {
        sum + x
    }
    #[inline(always)]
    fn finish(sum: f32, count: f32) -> f32 {
        sum / count
    }
}

impl Reduction for Norm {
    const FIRST: f32 = 0.0;
    #[inline(always)]
    fn add(sum: f32, x: f32) -> f32 {
        sum + x * x
    }
    #[inline(always)]
    fn finish(sum: f32, _: f32) -> f32 {
        sum.sqrt()
    }
}

/// Reduces the pixels of a window channel by channel, in the window's order.
#[inline(always)]
fn reduce<E: Element, R: Reduction>(to: &mut [E], window: &[&[E]]) {
    let wide = groups::<E, R, 32>(to, window, 0);
    let narrow = groups::<E, R, 4>(to, window, wide);
    groups::<E, R, 1>(to, window, narrow);
}

/// Reduces whole groups of channels from `first` on; returns where they end.
#[inline(always)]
fn groups<E: Element, R: Reduction, const GROUP: usize>(to: &mut [E], window: &[&[E]], first: usize) -> usize {
    let count = window.len() as f32;
    let mut at = first;
    for to in to[first..].as_chunks_mut::<GROUP>().0 {
        let mut sums = Sums([R::FIRST; GROUP]);
        // Nine pixels at once, as most windows have, since the compiler keeps sums in memory in between.
        let (nines, rest) = window.as_chunks::<9>();
        for pixels in nines {
            take::<E, R, 9, GROUP>(&mut sums, pixels, at);
        }
        let (pairs, rest) = rest.as_chunks::<2>();
        for pixels in pairs {
            take::<E, R, 2, GROUP>(&mut sums, pixels, at);
        }
        for pixel in rest {
            take::<E, R, 1, GROUP>(&mut sums, &[pixel], at);
        }
        for (to, sum) in to.iter_mut().zip(sums.0) {
            *to = E::rounded(R::finish(sum, count));
        }
        at += GROUP;
    }
    at
}

/// A group's sums, from a cache line on.
#[repr(align(64))]
struct Sums<const GROUP: usize>([f32; GROUP]);

/// Adds some pixels' channels from `first` on, one pixel after the other.
#[inline(always)]
fn take<E: Element, R: Reduction, const PIXELS: usize, const GROUP: usize>(
    sums: &mut Sums<GROUP>,
    pixels: &[&[E]; PIXELS],
    first: usize,
) {
    let empty = [E::default(); GROUP];
    let mut values = [&empty; PIXELS];
    for (values, pixel) in values.iter_mut().zip(pixels) {
        *values = pixel[first..].first_chunk().expect("as many channels as the output has");
    }
    for (c, to) in sums.0.iter_mut().enumerate() {
        let mut sum = *to;
        for values in values {
            sum = R::add(sum, values[c].widened());
        }
        *to = sum;
    }
}
