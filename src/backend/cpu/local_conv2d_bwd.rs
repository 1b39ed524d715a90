//! Gradients of locally connected layers: each filter is read once a batch, or written once.

use std::ops::Range;

use super::aligned::Aligned;
use super::elementwise;
use super::local_conv2d::LocalGeometry;
use super::outer::Outer;
use super::spread::{self, Spread, VECTORS};
use super::workers::{Shared, Workers, part};

/// Positions along both axes that one task makes the input's gradient of.
///
/// Windows of neighbouring positions overlap, those of every second tile do not: tiles are as large as that takes. Four
/// passes, one for each pair of even and odd, add to the same memory in an order that the extents alone decide.
struct Tiles {
    /// Positions of a tile: `[y, x]`.
    positions: [usize; 2],
    /// Tiles: `[y, x]`.
    count: [usize; 2],
}

impl Tiles {
    fn new(geometry: &LocalGeometry) -> Self {
        let of = |axis: usize| {
            let (out, kernel, stride) = (geometry.w[axis], geometry.w[3 + axis], geometry.stride[axis]);
            let positions = (kernel.div_ceil(stride) - 1).clamp(1, out);
            (positions, out.div_ceil(positions))
        };
        let ([y, rows], [x, columns]) = (<[usize; 2]>::from(of(0)), <[usize; 2]>::from(of(1)));
        Tiles { positions: [y, x], count: [rows, columns] }
    }

    /// Tiles of a pass, which is the parity of both axes.
    fn of_pass(&self, pass: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| (self.count[axis] + 1 - pass[axis]) / 2)
    }

    /// The positions of a tile along an axis.
    fn along(&self, axis: usize, tile: usize, out: usize) -> Range<usize> {
        tile * self.positions[axis]..out.min((tile + 1) * self.positions[axis])
    }
}

/// The gradient of the input.
///
/// # Safety
/// `dx` is writable for every value of the input and overlaps nothing.
pub(super) unsafe fn data(workers: Workers, geometry: LocalGeometry, dy: &[f32], w: &[f32], dx: *mut f32) {
    let n = geometry.x[0];
    assert_eq!(dy.len(), n * geometry.positions() * geometry.c_out());
    assert_eq!(w.len(), geometry.w.iter().product::<usize>());
    let to = Shared::new(dx);
    // SAFETY: pieces are apart; the rest is the caller's promise.
    workers.pieces(n * geometry.image(), elementwise::PIECE, |_, piece| unsafe { to.slice(piece).fill(0.0) });
    let tiles = Tiles::new(&geometry);
    for pass in [[0, 0], [0, 1], [1, 0], [1, 1]] {
        let [rows, columns] = tiles.of_pass(pass);
        workers.each(rows * columns, |task| {
            let ys = tiles.along(0, task / columns * 2 + pass[0], geometry.w[0]);
            let xs = tiles.along(1, task % columns * 2 + pass[1], geometry.w[1]);
            for (oy, ox) in ys.flat_map(|oy| xs.clone().map(move |ox| (oy, ox))) {
                // SAFETY: no window of another tile of the pass overlaps this one's; the rest is the caller's promise.
                unsafe { position(workers, &geometry, oy * geometry.w[1] + ox, dy, w, to) };
            }
        });
    }
}

/// Adds what one position gives to every image.
///
/// # Safety
/// `dx` is writable at the position's window of every image, and nothing else uses it.
unsafe fn position(workers: Workers, geometry: &LocalGeometry, position: usize, dy: &[f32], w: &[f32], dx: Shared) {
    let (isa, lanes) = (workers.isa(), workers.isa().lanes());
    let (n, c_out, filter, run) = (geometry.x[0], geometry.c_out(), geometry.filter(), geometry.run());
    let (dy_image, window) = (geometry.positions() * c_out, geometry.window(position));
    let first = position * c_out * filter;
    // Most often the next position's filters.
    let next = &w[first + c_out * filter..w.len().min(first + 2 * c_out * filter)];
    let (vectors, left) = (run / lanes, run % lanes);
    let blocks = vectors.div_ceil(VECTORS) + usize::from(left > 0);
    let tiles = n.div_ceil(spread::images(isa));
    for line in 0..geometry.w[3] {
        for block in 0..blocks {
            let at = match block * VECTORS < vectors {
                true => {
                    let of = part(vectors, vectors.div_ceil(VECTORS), block);
                    of.start * lanes..of.end * lanes
                }
                false => vectors * lanes..run,
            };
            let share = part(next.len(), geometry.w[3] * blocks, line * blocks + block);
            for tile in 0..tiles {
                let images = part(n, tiles, tile);
                let ahead = part(share.len(), tiles, tile);
                let work = Spread {
                    dy: dy[images.start * dy_image + position * c_out..].as_ptr(),
                    dy_image,
                    images: images.len(),
                    w: w[first + line * run + at.start..].as_ptr(),
                    filter,
                    outputs: c_out,
                    width: at.len(),
                    ahead: &next[share.start + ahead.start..share.start + ahead.end],
                    dx: dx.at(images.start * geometry.image() + window + line * geometry.line() + at.start),
                    dx_image: geometry.image(),
                };
                // SAFETY: the window lies within each image, and these filters within all.
                unsafe { work.run(isa) };
            }
        }
    }
}

/// The gradient of the filters.
///
/// # Safety
/// `dw` is writable for all filters and overlaps nothing.
pub(super) unsafe fn filter(workers: Workers, geometry: LocalGeometry, x: &[f32], dy: &[f32], dw: *mut f32) {
    let (n, positions, c_out) = (geometry.x[0], geometry.positions(), geometry.c_out());
    assert_eq!(x.len(), n * geometry.image());
    assert_eq!(dy.len(), n * positions * c_out);
    let (isa, lanes, run) = (workers.isa(), workers.isa().lanes(), geometry.run());
    let (to, tiles) = (Shared::new(dw), c_out.div_ceil(isa.rows()));
    let tasks = (4 * workers.few()).min(positions).max(1);
    workers.each(tasks, |task| {
        let mut starts: Vec<[*const f32; 2]> = Vec::with_capacity(n);
        let mut copies = Aligned::zeros(n * lanes);
        for position in part(positions, tasks, task) {
            starts.clear();
            let window = geometry.window(position);
            starts.extend((0..n).map(|image| {
                [x[image * geometry.image() + window..].as_ptr(), dy[(image * positions + position) * c_out..].as_ptr()]
            }));
            for (line, from) in
                (0..geometry.w[3]).flat_map(|line| (0..run).step_by(2 * lanes).map(move |at| (line, at)))
            {
                let (width, at) = ((run - from).min(2 * lanes), line * geometry.line() + from);
                // Whole vectors, then what is left: read as a vector, it might lie past the input's end.
                let whole = width / lanes * lanes;
                let left = width - whole;
                let to = to.at((position * c_out) * geometry.filter() + line * run + from);
                let work = Work { starts: &starts, at, vectors: whole / lanes, width: whole, c_out, tiles };
                // SAFETY: windows lie within their images; positions are one task's.
                unsafe { work.run(isa, to, geometry.filter()) };
                if left > 0 {
                    for (copy, &[x, _]) in copies.chunks_exact_mut(lanes).zip(&starts) {
                        // SAFETY: within the window.
                        let x = unsafe { std::slice::from_raw_parts(x.add(at + whole), left) };
                        copy[..left].copy_from_slice(x);
                    }
                    let rows = copies.chunks_exact(lanes).zip(&starts);
                    let starts: Vec<_> = rows.map(|(x, &[_, dy])| [x.as_ptr(), dy]).collect();
                    let work = Work { starts: &starts, at: 0, vectors: 1, width: left, c_out, tiles };
                    // SAFETY: copies hold whole vectors; the rest as above.
                    unsafe { work.run(isa, to.add(whole), geometry.filter()) };
                }
            }
        }
    });
}

/// Some lanes of all filters of a position.
struct Work<'a> {
    starts: &'a [[*const f32; 2]],
    at: usize,
    vectors: usize,
    width: usize,
    c_out: usize,
    tiles: usize,
}

impl Work<'_> {
    /// # Safety
    /// As [`Outer::run`], for all outputs.
    unsafe fn run(&self, isa: super::simd::Isa, to: *mut f32, stride: usize) {
        if self.vectors == 0 {
            return;
        }
        for tile in 0..self.tiles {
            let rows = part(self.c_out, self.tiles, tile);
            let work = Outer {
                pixels: self.starts,
                rows: rows.len(),
                first: rows.start,
                vectors: self.vectors,
                at: self.at,
                width: self.width,
                // SAFETY: as the caller promises.
                to: unsafe { to.add(rows.start * stride) },
                stride,
                add: false,
            };
            // SAFETY: as the caller promises.
            unsafe { work.run(isa) };
        }
    }
}

/// The gradient of the bias: the sum of images, in order.
///
/// # Safety
/// `db` is writable for an image's values and overlaps nothing.
pub(super) unsafe fn bias(workers: Workers, n: usize, dy: &[f32], db: *mut f32) {
    let values = dy.len() / n;
    // SAFETY: as the caller promises.
    unsafe {
        elementwise::run(workers, db, values, |to, at| {
            to.copy_from_slice(&dy[at.clone()]);
            for image in 1..n {
                elementwise::add_scaled(workers.isa(), to, &dy[image * values..][at.clone()], 1.0);
            }
        });
    }
}
