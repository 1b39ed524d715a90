//! The gradient of a convolution's filters, and of a dense layer's weight.
//!
//! Many pixels are cut into chunks with partial sums, which are added in order: one thread then reads each value of the
//! input and of the gradient. Few pixels are not cut: threads share the filters instead. Within a chunk, pixels come in
//! blocks that stay in cache while all tiles pass over them. The chunks depend on the sizes alone.

use std::ops::Range;

use super::aligned::Aligned;
use super::conv2d::ConvGeometry;
use super::elementwise;
use super::outer::Outer;
use super::vectorized::vectorized;
use super::workers::{Shared, Workers, part};

/// Pixels of a block: a panel of the input and the gradients of a tile stay in the first-level cache.
const BLOCK: usize = 168;
/// Pixels of a partial sum, about.
const CHUNK: usize = 4096;
/// Tiles that make up for the copy of a panel.
const WORTHWHILE: usize = 3;
/// The most partial sums.
const CHUNKS: usize = 16;

fn chunks(pixels: usize) -> usize {
    (pixels / CHUNK).clamp(1, CHUNKS)
}

/// Values that all partial sums take, for filters of this many values.
pub(super) fn scratch(pixels: usize, filters: usize) -> usize {
    match chunks(pixels) {
        1 => 0,
        chunks => chunks * filters,
    }
}

/// Runs it: `geometry` is the forward convolution's.
///
/// # Safety
/// `dw` is writable for all filters and overlaps nothing.
pub(super) unsafe fn run(
    workers: Workers,
    geometry: ConvGeometry,
    x: &[f32],
    dy: &[f32],
    scratch: &mut [f32],
    dw: *mut f32,
) {
    let pixels = geometry.pixels();
    let work = Work::new(workers, geometry, x, dy);
    let (chunks, filters) = (chunks(pixels), work.c_out * work.k());
    let whole = chunks == 1;
    assert!(whole || scratch.len() >= chunks * filters);
    let partial = Shared::new(if whole { dw } else { scratch.as_mut_ptr() });
    let units = work.units();
    let groups = workers.few().div_ceil(chunks).min(units);
    workers.each(chunks * groups, |task| {
        let (chunk, group) = (task / groups, task % groups);
        // SAFETY: chunks have partial sums of their own, and groups partition the tiles.
        unsafe { work.run(part(pixels, chunks, chunk), part(units, groups, group), partial.at(chunk * filters)) }
    });
    if !whole {
        let to = Shared::new(dw);
        workers.pieces(filters, elementwise::PIECE, |_, piece| {
            // SAFETY: pieces are apart, and within the filters.
            let to = unsafe { to.slice(piece.clone()) };
            to.copy_from_slice(&scratch[piece.clone()]);
            for chunk in 1..chunks {
                let from = &scratch[chunk * filters..][piece.clone()];
                elementwise::add_scaled(workers.isa(), to, from, 1.0);
            }
        });
    }
}

/// All that tasks share. A unit is a tile of some pixels: a run of the input (see [`ConvGeometry::runs`]), a panel of it of
/// two vectors, a few output channels.
struct Work<'a> {
    workers: Workers<'a>,
    geometry: ConvGeometry,
    x: &'a [f32],
    dy: &'a [f32],
    c_out: usize,
    runs: usize,
    run: usize,
    panels: usize,
    tiles: usize,
}

impl<'a> Work<'a> {
    fn new(workers: Workers<'a>, geometry: ConvGeometry, x: &'a [f32], dy: &'a [f32]) -> Self {
        assert_eq!(x.len(), geometry.x.iter().product::<usize>());
        let c_out = dy.len() / geometry.pixels();
        let (runs, run) = geometry.runs();
        let (panels, tiles) = (run.div_ceil(2 * workers.isa().lanes()), c_out.div_ceil(workers.isa().rows()));
        Work { workers, geometry, x, dy, c_out, runs, run, panels, tiles }
    }

    /// Values of a filter.
    fn k(&self) -> usize {
        self.runs * self.run
    }

    fn units(&self) -> usize {
        self.runs * self.panels * self.tiles
    }

    /// Sums these units over these pixels.
    ///
    /// # Safety
    /// `to` is writable for the units' part of all filters; no other task uses it.
    unsafe fn run(&self, pixels: Range<usize>, units: Range<usize>, to: *mut f32) {
        let (isa, lanes) = (self.workers.isa(), self.workers.isa().lanes());
        let mut panel = Aligned::zeros(BLOCK * 2 * lanes);
        let mut starts: Vec<[*const f32; 2]> = Vec::with_capacity(BLOCK);
        let mut copies: Vec<[*const f32; 2]> = Vec::with_capacity(BLOCK);
        let blocks = pixels.len().div_ceil(BLOCK);
        for block in 0..blocks {
            let within = part(pixels.len(), blocks, block);
            let block_pixels = pixels.start + within.start..pixels.start + within.end;
            let mut unit = units.start;
            let mut at = None;
            while unit < units.end {
                let (run, number, tile) =
                    (unit / self.tiles / self.panels, unit / self.tiles % self.panels, unit % self.tiles);
                if at != Some(run) {
                    self.starts(run, block_pixels.clone(), &mut starts);
                    at = Some(run);
                }
                let tiles = tile..self.tiles.min(tile + units.end - unit);
                let first = number * 2 * lanes;
                let width = (self.run - first).min(2 * lanes);
                let vectors = width.div_ceil(lanes);
                // Pixels that lie far apart share few of the cache's sets. Vectors that are not whole would read past
                // the run.
                let copied = width < vectors * lanes || (self.run > width && tiles.len() >= WORTHWHILE);
                if copied {
                    // SAFETY: a run is readable as a whole.
                    let x = |pixel: usize| unsafe { std::slice::from_raw_parts(starts[pixel][0].add(first), width) };
                    gather(isa, &mut panel, 2 * lanes, starts.len(), x);
                    copies.clear();
                    copies.extend(panel.chunks_exact(2 * lanes).zip(&starts).map(|(x, &[_, dy])| [x.as_ptr(), dy]));
                }
                for tile in tiles.clone() {
                    let rows = part(self.c_out, self.tiles, tile);
                    let work = Outer {
                        pixels: if copied { &copies } else { &starts },
                        rows: rows.len(),
                        first: rows.start,
                        vectors,
                        at: if copied { 0 } else { first },
                        width,
                        // SAFETY: within the filters, as the caller promises.
                        to: unsafe { to.add(rows.start * self.k() + run * self.run + first) },
                        stride: self.k(),
                        add: block > 0,
                    };
                    // SAFETY: the pixels' runs and gradients are readable; the rest is the caller's promise.
                    unsafe { work.run(isa) };
                }
                unit += tiles.len();
            }
        }
    }

    /// Where a run's values and the gradients start, for those of the pixels where the run lies within the image.
    fn starts(&self, run: usize, pixels: Range<usize>, to: &mut Vec<[*const f32; 2]>) {
        let g = &self.geometry;
        let ([_, h, w, c], [ay, ax]) = (g.x, g.axes);
        let columns = if self.runs == g.kernel[0] { 1 } else { g.kernel[1] };
        let (ky, kx) = (run / columns, run % columns);
        let (mut ox, mut oy) = (pixels.start % ax.out, pixels.start / ax.out % ay.out);
        let mut image = pixels.start / ax.out / ay.out;
        to.clear();
        for pixel in pixels {
            // Wraps below zero for pixels before the border, which is then past the extent as well.
            let iy = (oy * g.stride[0] + ky).wrapping_sub(ay.before);
            let ix = (ox * g.stride[1] + kx).wrapping_sub(ax.before);
            if iy < h && ix < w {
                let x = self.x[((image * h + iy) * w + ix) * c..].as_ptr();
                to.push([x, self.dy[pixel * self.c_out..].as_ptr()]);
            }
            ox += 1;
            if ox == ax.out {
                (ox, oy) = (0, oy + 1);
            }
            if oy == ay.out {
                (oy, image) = (0, image + 1);
            }
        }
    }
}

vectorized! {
    /// Copies each pixel's values to rows of `stride`.
    fn gather<'a>(to: &mut [f32], stride: usize, pixels: usize, from: impl Fn(usize) -> &'a [f32]) {
        for (pixel, to) in to.chunks_exact_mut(stride).take(pixels).enumerate() {
            let from = from(pixel);
            // Whole vectors without a call.
            match from.len() {
                32 => to[..32].copy_from_slice(&from[..32]),
                16 => to[..16].copy_from_slice(&from[..16]),
                8 => to[..8].copy_from_slice(&from[..8]),
                len => to[..len].copy_from_slice(from),
            }
        }
    }
}
