//! Locally connected layers: filters are read in the order in which they lie in memory, once a batch.
//!
//! A task is a stretch of positions. At each, some filters after the other meet all images before the next ones do, so that
//! what comes from memory is read once, and from cache for the other images; meanwhile the filters after them are asked for.
//! Whole vectors of images lie side by side, value by value ([`across`]); windows of the images that are left, a vector's
//! values behind the other ([`dot`]). Both add in the same order.

use std::ops::Range;

use super::across::{self, Across, Offsets};
use super::aligned::Aligned;
use super::dot::{self, Dot, OUTPUTS};
use super::simd::Isa;
use super::transpose::Transpose;
use super::vectorized::vectorized;
use super::workers::{Shared, Workers, part};
use crate::ops::Activation;

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

    /// Where in an image the values of a window lie, from its beginning on.
    fn offsets(&self) -> Vec<usize> {
        (0..self.w[3])
            .flat_map(|y| (0..self.run()).map(move |at| (y, at)))
            .map(|(y, at)| y * self.line() + at)
            .collect()
    }

    fn check(&self, x: &[f32], w: &[f32]) {
        assert_eq!(x.len(), self.x.iter().product::<usize>());
        assert_eq!(w.len(), self.w.iter().product::<usize>());
    }
}

/// A part of a task: some outputs of a position for some images.
#[derive(Clone, Debug, PartialEq)]
struct Visit {
    position: usize,
    images: Range<usize>,
    outputs: Range<usize>,
    /// Whether images are lanes: whole vectors of them.
    across: bool,
    /// Whether no other images met these filters before.
    first: bool,
}

/// How many images of a batch are lanes: whole vectors.
fn crowd(isa: Isa, n: usize) -> usize {
    n / isa.lanes() * isa.lanes()
}

/// Values that a layer needs besides inputs and output: images that are lanes, laid side by side.
pub(super) fn scratch(isa: Isa, x: &[usize]) -> usize {
    crowd(isa, x[0]) * x[1..].iter().product::<usize>()
}

/// Images that are lanes of the same tiles.
fn groups(isa: Isa, n: usize) -> impl Iterator<Item = Range<usize>> {
    let (end, width) = (crowd(isa, n), across::VECTORS * isa.lanes());
    (0..end).step_by(width).map(move |first| first..end.min(first + width))
}

/// Calls `f` for each part of some positions, in the order in which they run.
fn walk(isa: Isa, geometry: &LocalGeometry, positions: Range<usize>, mut f: impl FnMut(Visit)) {
    let (n, c_out) = (geometry.x[0], geometry.c_out());
    let rest = crowd(isa, n)..n;
    for position in positions {
        for first in (0..c_out).step_by(across::MAX_OUTPUTS) {
            let few = first..c_out.min(first + across::MAX_OUTPUTS);
            for images in groups(isa, n) {
                let mut outputs = few.start..few.start;
                while outputs.end < few.end {
                    let most = across::outputs(isa).min(few.end - outputs.end);
                    outputs = outputs.end..outputs.end + (1 << most.ilog2());
                    let first = images.start == 0;
                    f(Visit { position, images: images.clone(), outputs: outputs.clone(), across: true, first });
                }
            }
            for output in few.clone().step_by(OUTPUTS).filter(|_| !rest.is_empty()) {
                let outputs = output..few.end.min(output + OUTPUTS);
                f(Visit { position, images: rest.clone(), outputs, across: false, first: rest.start == 0 });
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

vectorized! {
    /// What follows the sums of some images: the bias, and the activation.
    fn finish<'a>(
        y: impl Iterator<Item = &'a mut [f32]>,
        sums: impl Iterator<Item = &'a [f32]>,
        bias: &[f32],
        activation: Activation,
    ) {
        let (bias, bias_left) = bias.as_chunks::<OUTPUTS>();
        for (y, sums) in y.zip(sums) {
            let (y, y_left) = y.as_chunks_mut::<OUTPUTS>();
            let (sums, sums_left) = sums.as_chunks::<OUTPUTS>();
            for ((y, sums), bias) in y.iter_mut().zip(sums).zip(bias) {
                *y = std::array::from_fn(|i| activation.apply(sums[i] + bias[i], None));
            }
            for ((y, &sum), &bias) in y_left.iter_mut().zip(sums_left).zip(bias_left) {
                *y = activation.apply(sum + bias, None);
            }
        }
    }
}

/// Lays images that are lanes side by side: `[group, value, image]`.
fn lay(workers: Workers, geometry: &LocalGeometry, x: &[f32], to: &mut [f32]) {
    let (isa, image, line) = (workers.isa(), geometry.image(), geometry.line());
    let groups: Vec<_> = groups(isa, geometry.x[0]).collect();
    let to = Shared::new(to.as_mut_ptr());
    workers.each(groups.len() * geometry.x[1], |task| {
        let (images, at) = (&groups[task / geometry.x[1]], task % geometry.x[1] * line);
        let lines = Transpose {
            from: x[images.start * image + at..].as_ptr(),
            from_row: image,
            to: to.at(images.start * image + at * images.len()),
            to_row: images.len(),
            rows: images.len(),
            columns: line,
        };
        // SAFETY: a line of these images, which is one task's.
        unsafe { lines.run(isa) }
    });
}

/// A layer's operands.
struct Layer<'a> {
    isa: Isa,
    geometry: LocalGeometry,
    x: &'a [f32],
    /// Images that are lanes, laid side by side.
    crowd: &'a [f32],
    /// Where values of a window lie in an image.
    offsets: Offsets,
    w: &'a [f32],
    bias: &'a [f32],
    activation: Activation,
    y: Shared,
}

/// What a task's tiles work in.
struct Room {
    /// The windows of images that are no lanes, each from a cache line on, and values from one to the next.
    windows: Aligned,
    stride: usize,
    lanes: Vec<dot::Lanes>,
    sums: Vec<[f32; OUTPUTS]>,
    across_lanes: Aligned,
    across_sums: Aligned,
    across_y: Aligned,
}

impl Room {
    fn new(isa: Isa, geometry: &LocalGeometry) -> Self {
        let [across, rest] = [crowd(isa, geometry.x[0]), geometry.x[0] % isa.lanes()];
        let stride = geometry.filter().next_multiple_of(16);
        let of_across = |values: usize| Aligned::zeros(if across > 0 { values } else { 0 });
        Room {
            windows: Aligned::zeros(rest * stride),
            stride,
            lanes: vec![dot::Lanes::default(); rest],
            sums: vec![[0.0; OUTPUTS]; rest],
            across_lanes: of_across(across::LANES),
            across_sums: of_across(across::SUMS),
            across_y: of_across(across::SUMS),
        }
    }
}

impl Layer<'_> {
    /// The first value of a visit's filters, and the filters that are asked for meanwhile.
    fn filters(&self, visit: &Visit) -> (usize, &[f32]) {
        let filter = self.geometry.filter();
        let first = (visit.position * self.geometry.c_out() + visit.outputs.start) * filter;
        let end = first + visit.outputs.len() * filter;
        // Other images find them in cache.
        let ahead = if visit.first { end..self.w.len().min(2 * end - first) } else { 0..0 };
        (first, &self.w[ahead])
    }

    /// Writes a visit's outputs; sums are `[image][output]`, and more than that.
    ///
    /// # Safety
    /// They are writable, and nothing else uses them.
    unsafe fn write<'a>(&self, visit: &Visit, sums: impl Iterator<Item = &'a [f32]>) {
        let (values, len) = (self.geometry.positions() * self.geometry.c_out(), visit.outputs.len());
        let first = visit.position * self.geometry.c_out() + visit.outputs.start;
        let rows = visit.images.clone().map(|image| image * values + first);
        // SAFETY: as the caller promises.
        let y = rows.map(|at| unsafe { self.y.slice(at..at + len) });
        finish(self.isa, y, sums.map(|sums| &sums[..len]), &self.bias[first..first + len], self.activation);
    }

    /// # Safety
    /// The visit's outputs are writable, and nothing else uses them.
    unsafe fn across(&self, room: &mut Room, visit: &Visit) {
        let (first, ahead) = self.filters(visit);
        let (start, width) = (visit.images.start, visit.images.len());
        let tile = Across {
            x: self.crowd[start * self.geometry.image() + self.geometry.window(visit.position) * width..].as_ptr(),
            offsets: &self.offsets,
            vectors: width / self.isa.lanes(),
            w: self.w[first..].as_ptr(),
            filter: self.geometry.filter(),
            outputs: visit.outputs.len(),
            ahead,
            lanes: &mut room.across_lanes,
            sums: &mut room.across_sums,
            y: &mut room.across_y,
        };
        // SAFETY: the images lie there, windows within them, and these filters within all.
        unsafe { tile.run(self.isa) };
        // SAFETY: as the caller promises.
        unsafe { self.write(visit, room.across_y.chunks(self.isa.lanes())) };
    }

    /// # Safety
    /// The visit's outputs are writable, and nothing else uses them.
    unsafe fn dot(&self, room: &mut Room, visit: &Visit) {
        let (geometry, filter) = (&self.geometry, self.geometry.filter());
        if visit.outputs.start == 0 {
            for (image, to) in visit.images.clone().zip(room.windows.chunks_mut(room.stride)) {
                let window = &self.x[image * geometry.image() + geometry.window(visit.position)..];
                gather(self.isa, &mut to[..filter], geometry.run(), window, geometry.line());
            }
        }
        let (first, ahead) = self.filters(visit);
        let tile = Dot {
            x: room.windows.as_ptr(),
            image: room.stride,
            w: self.w[first..].as_ptr(),
            filter,
            outputs: visit.outputs.len(),
            ahead,
            lanes: &mut room.lanes,
            sums: &mut room.sums,
        };
        // SAFETY: as many windows were laid out, and these filters lie within all.
        unsafe { tile.run(self.isa) };
        // SAFETY: as the caller promises.
        unsafe { self.write(visit, room.sums.iter().map(|sums| &sums[..])) };
    }
}

/// What a layer is given.
pub(super) struct Inputs<'a> {
    pub x: &'a [f32],
    pub w: &'a [f32],
    pub bias: &'a [f32],
}

/// Runs the layer; `room` has as many values as [`scratch`] says.
///
/// # Safety
/// `y` is writable for every output and overlaps nothing.
pub(super) unsafe fn run(
    workers: Workers,
    geometry: LocalGeometry,
    Inputs { x, w, bias }: Inputs,
    activation: Activation,
    y: *mut f32,
    room: &mut [f32],
) {
    geometry.check(x, w);
    let (isa, positions) = (workers.isa(), geometry.positions());
    assert_eq!(bias.len(), positions * geometry.c_out());
    let crowd = &mut room[..scratch(isa, &geometry.x)];
    lay(workers, &geometry, x, crowd);
    let offsets = if crowd.is_empty() { Vec::new() } else { geometry.offsets() };
    let offsets = Offsets::new(isa, &offsets);
    let layer = Layer { isa, geometry, x, crowd, offsets, w, bias, activation, y: Shared::new(y) };
    let tasks = (TASKS * workers.few()).min(positions).max(1);
    workers.each(tasks, |task| {
        let mut room = Room::new(isa, &geometry);
        // SAFETY: positions are one task's; the rest is the caller's promise.
        walk(isa, &geometry, part(positions, tasks, task), |visit| unsafe {
            match visit.across {
                true => layer.across(&mut room, &visit),
                false => layer.dot(&mut room, &visit),
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least second-level cache of a processor with these instructions, Cannon Lake apart.
    fn cache(isa: Isa) -> usize {
        match isa {
            Isa::Portable | Isa::Avx2 => 256 << 10,
            Isa::Avx512 | Isa::Avx512Bf16 => 512 << 10,
        }
    }

    /// Batches without lanes, of lanes alone, and with both.
    const BATCHES: [usize; 7] = [1, 7, 16, 32, 45, 64, 256];

    /// A layer of windows of `kernel` x `kernel` pixels of 16 channels, at three positions.
    fn layer(n: usize, c_out: usize, kernel: usize) -> LocalGeometry {
        LocalGeometry { x: [n, kernel, kernel + 2, 16], w: [1, 3, c_out, kernel, kernel, 16], stride: [1, 1] }
    }

    /// Bytes of filters that a cache of whole filters and windows, the longest unused leaving first, takes from memory.
    fn bytes_read(isa: Isa, geometry: &LocalGeometry) -> usize {
        let bytes = 4 * geometry.filter();
        let (mut cache, mut read) = (Vec::<(bool, usize, usize)>::new(), 0);
        let mut touch = |is_filter: bool, position: usize, i: usize| {
            let entry = (is_filter, position, i);
            match cache.iter().position(|held| *held == entry) {
                Some(at) => drop(cache.remove(at)),
                None => read += if is_filter { bytes } else { 0 },
            }
            cache.push(entry);
            if cache.len() * bytes > self::cache(isa) {
                cache.remove(0);
            }
        };
        walk(isa, geometry, 0..geometry.positions(), |visit| {
            visit.outputs.clone().for_each(|o| touch(true, visit.position, o));
            visit.images.clone().for_each(|image| touch(false, visit.position, image));
        });
        read
    }

    #[test]
    fn filters_are_read_once_a_batch() {
        // DeepFace's three layers.
        for (isa, kernel) in Isa::ALL.into_iter().flat_map(|isa| [9, 7, 5].map(|kernel| (isa, kernel))) {
            for n in BATCHES {
                let geometry = layer(n, 16, kernel);
                let all = 4 * geometry.w.iter().product::<usize>();
                assert_eq!(bytes_read(isa, &geometry), all, "{isa}, {n} images, {kernel}x{kernel}");
            }
        }
    }

    #[test]
    fn every_output_of_every_image_is_made_once() {
        for (isa, n) in Isa::ALL.into_iter().flat_map(|isa| BATCHES.map(|n| (isa, n))) {
            let geometry = layer(n, 15, 9);
            let (positions, c_out) = (geometry.positions(), geometry.c_out());
            let mut made = vec![0; positions * c_out * geometry.x[0]];
            walk(isa, &geometry, 0..positions, |visit| {
                for image in visit.images {
                    visit.outputs.clone().for_each(|o| made[(image * positions + visit.position) * c_out + o] += 1);
                }
            });
            assert!(made.iter().all(|&times| times == 1), "{isa}, {n} images");
        }
    }
}
