//! Locally connected layers: filters are read in the order in which they lie in memory, once a batch.
//!
//! A task is a stretch of positions. At each, windows of a block of images are laid side by side; some filters after the
//! other meet all of them before the next ones do, so that what comes from memory is read once, and from cache for the
//! other images; meanwhile the filters after them are asked for.

use std::ops::Range;

use super::aligned::Aligned;
use super::dot::{self, Dot, OUTPUTS};
use super::vectorized::vectorized;
use super::workers::{Shared, Workers, part};
use crate::ops::Activation;

/// Values of a block of images' windows: two blocks and one position's filters share the second-level cache.
const BLOCK: usize = 20 << 10;
/// Tasks for each thread, so that none waits long for another.
const TASKS: usize = 4;

/// Extents of a locally connected layer, VALID.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalGeometry {
    /// The input: `[n, h, w, c_in]`.
    pub x: [usize; 4],
    /// The filters: `[h_out, w_out, c_out, k_h, k_w, c_in]`.
    pub w: [usize; 6],
    pub stride: [usize; 2],
}

impl LocalGeometry {
    pub fn positions(&self) -> usize {
        self.w[0] * self.w[1]
    }

    pub fn c_out(&self) -> usize {
        self.w[2]
    }

    /// Values of a filter's row, which are a stretch of the input, too.
    pub fn run(&self) -> usize {
        self.w[4] * self.w[5]
    }

    /// Values of a filter.
    pub fn filter(&self) -> usize {
        self.w[3] * self.run()
    }

    /// Values of the input's row.
    pub fn line(&self) -> usize {
        self.x[2] * self.x[3]
    }

    /// Values of an image of the input.
    pub fn image(&self) -> usize {
        self.x[1] * self.line()
    }

    /// Where in an image the window of a position begins.
    pub fn window(&self, position: usize) -> usize {
        let (oy, ox) = (position / self.w[1], position % self.w[1]);
        oy * self.stride[0] * self.line() + ox * self.stride[1] * self.x[3]
    }

    fn check(&self, x: &[f32], w: &[f32]) {
        assert_eq!(x.len(), self.x.iter().product::<usize>());
        assert_eq!(w.len(), self.w.iter().product::<usize>());
    }
}

/// A part of a task: some outputs of a position for a block of images.
#[derive(Clone, Debug, PartialEq)]
struct Visit {
    position: usize,
    images: Range<usize>,
    outputs: Range<usize>,
}

/// Images of a block: whole tiles.
fn block(geometry: &LocalGeometry) -> usize {
    (BLOCK / geometry.filter().max(1)).max(1).next_multiple_of(4)
}

/// Calls `f` for each part of some positions, in the order in which they run.
fn walk(geometry: &LocalGeometry, positions: Range<usize>, mut f: impl FnMut(Visit)) {
    let (n, c_out, images) = (geometry.x[0], geometry.c_out(), block(geometry));
    for position in positions {
        for first in (0..n).step_by(images) {
            for output in (0..c_out).step_by(OUTPUTS) {
                let outputs = output..c_out.min(output + OUTPUTS);
                f(Visit { position, images: first..n.min(first + images), outputs });
            }
        }
    }
}

vectorized! {
    /// Copies rows of a window, which lie `line` apart, one behind the other. Whole vectors without a call.
    fn gather(to: &mut [f32], run: usize, from: &[f32], line: usize) {
        for (to, from) in to.chunks_exact_mut(run).zip(from.chunks(line)) {
            let (to, to_left) = to.as_chunks_mut::<16>();
            let (from, from_left) = from[..run].as_chunks::<16>();
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            to_left.iter_mut().zip(from_left).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Runs the layer.
///
/// # Safety
/// `y` is writable for every output and overlaps nothing.
pub(super) unsafe fn run(
    workers: Workers,
    geometry: LocalGeometry,
    x: &[f32],
    w: &[f32],
    bias: &[f32],
    activation: Activation,
    y: *mut f32,
) {
    geometry.check(x, w);
    let (positions, c_out, filter) = (geometry.positions(), geometry.c_out(), geometry.filter());
    assert_eq!(bias.len(), positions * c_out);
    let (isa, y) = (workers.isa(), Shared::new(y));
    let tasks = (TASKS * workers.few()).min(positions).max(1);
    // Windows begin with a cache line.
    let (images, stride) = (block(&geometry).min(geometry.x[0]), filter.next_multiple_of(16));
    workers.each(tasks, |task| {
        let mut windows = Aligned::zeros(images * stride);
        let (mut lanes, mut sums) = (vec![dot::Lanes::default(); images], vec![[0.0; OUTPUTS]; images]);
        walk(&geometry, part(positions, tasks, task), |visit| {
            if visit.outputs.start == 0 {
                for (image, to) in visit.images.clone().zip(windows.chunks_mut(stride)) {
                    let window = &x[image * geometry.image() + geometry.window(visit.position)..];
                    gather(isa, &mut to[..filter], geometry.run(), window, geometry.line());
                }
            }
            let first = visit.position * c_out + visit.outputs.start;
            let end = (first + visit.outputs.len()) * filter;
            // Another block finds them in cache.
            let next = if visit.images.start == 0 { end..w.len().min(end + OUTPUTS * filter) } else { 0..0 };
            let n = visit.images.len();
            let tile = Dot {
                x: windows.as_ptr(),
                image: stride,
                w: w[first * filter..].as_ptr(),
                filter,
                outputs: visit.outputs.len(),
                ahead: &w[next],
                lanes: &mut lanes[..n],
                sums: &mut sums[..n],
            };
            // SAFETY: as many windows were laid out, and these filters lie within all.
            unsafe { tile.run(isa) };
            for (image, sums) in visit.images.zip(&sums) {
                let at = image * positions * c_out + first;
                // SAFETY: positions are one task's; the rest is the caller's promise.
                let y = unsafe { y.slice(at..at + visit.outputs.len()) };
                for ((y, &sum), &bias) in y.iter_mut().zip(sums).zip(&bias[first..]) {
                    *y = activation.apply(sum + bias, None);
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least second-level cache of a processor with these instruction sets.
    const CACHE: usize = 256 << 10;

    /// A layer of windows of `kernel` x `kernel` pixels of 16 channels, at three positions.
    fn layer(n: usize, c_out: usize, kernel: usize) -> LocalGeometry {
        LocalGeometry { x: [n, kernel, kernel + 2, 16], w: [1, 3, c_out, kernel, kernel, 16], stride: [1, 1] }
    }

    /// Bytes of filters that a cache of whole filters and windows, the longest unused leaving first, takes from memory.
    fn bytes_read(geometry: &LocalGeometry) -> usize {
        let bytes = 4 * geometry.filter();
        let (mut cache, mut read) = (Vec::<(bool, usize, usize)>::new(), 0);
        let mut touch = |is_filter: bool, position: usize, i: usize| {
            let entry = (is_filter, position, i);
            match cache.iter().position(|held| *held == entry) {
                Some(at) => drop(cache.remove(at)),
                None => read += if is_filter { bytes } else { 0 },
            }
            cache.push(entry);
            if cache.len() * bytes > CACHE {
                cache.remove(0);
            }
        };
        walk(geometry, 0..geometry.positions(), |visit| {
            visit.outputs.clone().for_each(|o| touch(true, visit.position, o));
            visit.images.clone().for_each(|image| touch(false, visit.position, image));
        });
        read
    }

    #[test]
    fn filters_are_read_once_a_batch() {
        // DeepFace's three layers.
        for kernel in [9, 7, 5] {
            for n in [1, 7, 32, 64, 256] {
                let geometry = layer(n, 16, kernel);
                let all = 4 * geometry.w.iter().product::<usize>();
                assert_eq!(bytes_read(&geometry), all, "{n} images, {kernel}x{kernel}");
            }
        }
    }

    #[test]
    fn every_output_of_every_image_is_made_once() {
        let geometry = layer(150, 7, 9);
        let (positions, c_out) = (geometry.positions(), geometry.c_out());
        let mut made = vec![0; positions * c_out * geometry.x[0]];
        walk(&geometry, 0..positions, |visit| {
            for image in visit.images {
                visit.outputs.clone().for_each(|o| made[(image * positions + visit.position) * c_out + o] += 1);
            }
        });
        assert!(made.iter().all(|&times| times == 1));
    }
}
