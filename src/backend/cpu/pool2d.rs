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

/// Channels of a group.
const GROUP: usize = 64;

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
        let mut window = Vec::with_capacity(geometry.kernel[0] * geometry.kernel[1]);
        for ox in 0..ax.out {
            let columns = ax.span(ox, w, geometry.kernel[1], geometry.stride[1]);
            window.clear();
            let pixel = |iy: usize, ix: usize| &x[((image * h + iy) * w + ix) * c..][..c];
            window.extend(rows.clone().flat_map(|iy| columns.clone().map(move |ix| pixel(iy, ix))));
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
        reduce(to, window, f32::NEG_INFINITY, |y, x| y.max(x), |y| y);
    }

    fn mean[E: Element](to: &mut [E], window: &[&[E]]) {
        let count = window.len() as f32;
        reduce(to, window, 0.0, |y, x| y + x, |y| y / count);
    }

    fn norm[E: Element](to: &mut [E], window: &[&[E]]) {
        reduce(to, window, 0.0, |y, x| y + x * x, |y| y.sqrt());
    }
}

/// Reduces the pixels of a window channel by channel: `add` takes what was reduced so far and a value, in the window's
/// order.
#[inline(always)]
fn reduce<E: Element>(
    to: &mut [E],
    window: &[&[E]],
    first: f32,
    add: impl Fn(f32, f32) -> f32 + Copy,
    finish: impl Fn(f32) -> f32 + Copy,
) {
    let whole = to.len() / GROUP * GROUP;
    for (group, to) in to[..whole].as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let mut sums = [first; GROUP];
        for pixel in window {
            let values = pixel[group * GROUP..].first_chunk::<GROUP>().expect("as many channels as the output has");
            for i in 0..GROUP {
                sums[i] = add(sums[i], values[i].widened());
            }
        }
        for i in 0..GROUP {
            to[i] = E::rounded(finish(sums[i]));
        }
    }
    for (c, to) in to.iter_mut().enumerate().skip(whole) {
        *to = E::rounded(finish(window.iter().fold(first, |sum, pixel| add(sum, pixel[c].widened()))));
    }
}
