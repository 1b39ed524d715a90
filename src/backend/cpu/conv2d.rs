//! Convolution and dense layers on register tiles: implicit GEMM, the input read in place.
//!
//! A task is a block of pixels by a group of filter panels. Within it, panels are the outer loop, so that a panel
//! stays in the second-level cache while the block's pixels pass by.

use std::ops::Range;

use rayon::prelude::*;

use super::Cpu;
use super::aligned::Aligned;
use super::simd::Isa;
use super::tile::{Finish, Tile};
use crate::Tensor;
use crate::ops::{Activation, window};

/// Filters `[c_out, taps.., c_in]` in panels of as many channels as a tile is wide: `[panel][tap and c_in][channel]`.
#[derive(Debug)]
pub(super) struct Packed {
    panels: Aligned,
    k: usize,
    c_out: usize,
    lanes: usize,
}

impl Packed {
    /// Packs filters whose first axis is `c_out`.
    pub fn new(isa: Isa, w: &Tensor) -> Self {
        let c_out = w.dims()[0];
        let k = w.dims()[1..].iter().product();
        let lanes = isa.lanes();
        let panels = Aligned::zeros(c_out.next_multiple_of(lanes) * k);
        let mut packed = Packed { panels, k, c_out, lanes };
        let mut next = 0;
        for panel in 0..packed.count() {
            let (channels, vectors) = packed.channels(panel);
            for at in 0..k {
                for (to, o) in packed.panels[next..].iter_mut().zip(channels.clone()) {
                    *to = w.data()[o * k + at];
                }
                next += vectors * lanes;
            }
        }
        packed
    }

    /// How many panels there are: each two vectors wide, but the last one, where one is enough.
    fn count(&self) -> usize {
        self.c_out.div_ceil(2 * self.lanes)
    }

    /// A panel's output channels, and how many vectors they fill.
    fn channels(&self, panel: usize) -> (Range<usize>, usize) {
        let first = panel * 2 * self.lanes;
        let channels = first..self.c_out.min(first + 2 * self.lanes);
        let vectors = channels.len().div_ceil(self.lanes);
        (channels, vectors)
    }

    fn panel(&self, panel: usize) -> &[f32] {
        &self.panels[panel * 2 * self.lanes * self.k..]
    }
}

/// Geometry of the pixels: a dense layer is a 1x1 convolution over `n` images of one pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub x: [usize; 4],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub axes: [window::Axis; 2],
}

impl Geometry {
    fn pixels(&self) -> usize {
        self.x[0] * self.axes[0].out * self.axes[1].out
    }

    /// Runs per pixel and values per run. Without padding a kernel row is contiguous in the input.
    fn runs(&self) -> (usize, usize) {
        let [_, h, w, c] = self.x;
        let [k_h, k_w] = self.kernel;
        let inside = |axis: window::Axis, kernel: usize, stride: usize, extent: usize| {
            axis.before == 0 && (axis.out - 1) * stride + kernel <= extent
        };
        let unpadded = inside(self.axes[0], k_h, self.stride[0], h) && inside(self.axes[1], k_w, self.stride[1], w);
        if unpadded { (k_h, k_w * c) } else { (k_h * k_w, c) }
    }

    /// Writes where each run of output pixel `pixel` starts, `rows` apart; padding reads from `zeros`.
    fn starts(&self, pixel: usize, x: *const f32, zeros: *const f32, to: &mut [*const f32], rows: usize) {
        let [_, h, w, c] = self.x;
        let [ay, ax] = self.axes;
        let (ox, oy, image) = (pixel % ax.out, pixel / ax.out % ay.out, pixel / ax.out / ay.out);
        let (runs, _) = self.runs();
        let columns = if runs == self.kernel[0] { 1 } else { self.kernel[1] };
        for run in 0..runs {
            let (ky, kx) = (run / columns, run % columns);
            let (iy, ix) = (oy * self.stride[0] + ky, ox * self.stride[1] + kx);
            // Wraps below zero for pixels before the border, which is then past the extent as well.
            let (iy, ix) = (iy.wrapping_sub(ay.before), ix.wrapping_sub(ax.before));
            to[run * rows] = if iy < h && ix < w { x.wrapping_add(((image * h + iy) * w + ix) * c) } else { zeros };
        }
    }
}

/// What happens to the sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epilogue<'a> {
    pub bias: Option<&'a [f32]>,
    pub activation: Activation,
    pub alpha: Option<&'a [f32]>,
    /// The scale of the sums, and what is added to them: dense `[pixels, c_out]`.
    pub residual: Option<(f32, &'a [f32])>,
}

/// Where the output goes: pixel `p`'s channels start at `p * stride`.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub to: *mut f32,
    pub stride: usize,
}

impl Output {
    /// Where pixel `at` starts.
    ///
    /// # Safety
    /// The output has such a pixel.
    pub unsafe fn pixel(&self, at: usize) -> *mut f32 {
        // SAFETY: as the caller promises.
        unsafe { self.to.add(at * self.stride) }
    }
}

// SAFETY: tasks write disjoint pixels and channels.
unsafe impl Send for Output {}
// SAFETY: as above; nothing is read through it.
unsafe impl Sync for Output {}

/// Pixels of a task: with at most 1,792 channels in, its input stays in the second-level cache.
const BLOCK: usize = 168;

/// Runs the convolution, on the pool's threads if `parallel`.
///
/// # Safety
/// `y` is writable for every output pixel, and overlaps neither `x` nor what the epilogue reads.
pub(super) unsafe fn run(
    cpu: &Cpu,
    parallel: bool,
    geometry: Geometry,
    x: &[f32],
    w: &Packed,
    epilogue: Epilogue,
    y: Output,
) {
    let pixels = geometry.pixels();
    assert_eq!(x.len(), geometry.x.iter().product::<usize>());
    assert_eq!(w.k, geometry.kernel[0] * geometry.kernel[1] * geometry.x[3]);
    assert!([epilogue.bias, epilogue.alpha].into_iter().flatten().all(|values| values.len() == w.c_out));
    assert!(epilogue.residual.is_none_or(|(_, residual)| residual.len() == pixels * w.c_out));
    let blocks = pixels.div_ceil(BLOCK);
    // Few pixels: split the panels too, so that every thread has work.
    let groups = if parallel { (2 * cpu.threads()).div_ceil(blocks.max(1)).min(w.count()) } else { 1 };
    let task = |task: usize| {
        let (block, group) = (task / groups, task % groups);
        let of = |i: usize, parts: usize, total: usize| i * total / parts;
        let (from, to) = (of(block, blocks, pixels), of(block + 1, blocks, pixels));
        let (first, last) = (of(group, groups, w.count()), of(group + 1, groups, w.count()));
        // SAFETY: blocks and groups partition pixels and panels; the rest is the caller's promise.
        unsafe { run_block(cpu.isa(), &geometry, x, w, &epilogue, y, from..to, first..last) }
    };
    if parallel && blocks * groups > 1 {
        cpu.pool().install(|| (0..blocks * groups).into_par_iter().for_each(task));
    } else {
        (0..blocks * groups).for_each(task);
    }
}

/// # Safety
/// As [`run`], for these pixels and panels.
#[allow(clippy::too_many_arguments)]
unsafe fn run_block(
    isa: Isa,
    geometry: &Geometry,
    x: &[f32],
    w: &Packed,
    epilogue: &Epilogue,
    y: Output,
    pixels: Range<usize>,
    panels: Range<usize>,
) {
    let (runs, run) = geometry.runs();
    let zeros = vec![0.0f32; run];
    let tiles = pixels.len().div_ceil(isa.rows());
    let bounds = |tile: usize| pixels.start + tile * pixels.len() / tiles;
    let mut starts: Vec<*const f32> = vec![std::ptr::null(); pixels.len() * runs];
    for tile in 0..tiles {
        let rows = bounds(tile + 1) - bounds(tile);
        let at = (bounds(tile) - pixels.start) * runs;
        for row in 0..rows {
            geometry.starts(bounds(tile) + row, x.as_ptr(), zeros.as_ptr(), &mut starts[at + row..], rows);
        }
    }
    // Whole vectors of channels, so that tiles read them without a tail.
    let pad = |values: Option<&[f32]>| {
        values.map(|values| {
            let mut padded = values.to_vec();
            padded.resize(values.len().next_multiple_of(2 * w.lanes), 0.0);
            padded
        })
    };
    let (bias, alpha) = (pad(epilogue.bias), pad(epilogue.alpha));
    let (scale, residual) = epilogue.residual.unwrap_or((1.0, &[]));
    for panel in panels {
        let (channels, vectors) = w.channels(panel);
        let of = |values: &Option<Vec<f32>>| values.as_ref().map_or(std::ptr::null(), |v| v[channels.start..].as_ptr());
        for tile in 0..tiles {
            let (from, to) = (bounds(tile), bounds(tile + 1));
            let starts = &starts[(from - pixels.start) * runs..(to - pixels.start) * runs];
            let finish = Finish {
                bias: of(&bias),
                activation: epilogue.activation,
                alpha: of(&alpha),
                residual: residual.get(from * w.c_out + channels.start..).map_or(std::ptr::null(), |r| match r {
                    [] => std::ptr::null(),
                    r => r.as_ptr(),
                }),
                residual_stride: w.c_out,
                scale,
                // SAFETY: within the output, as the caller promises.
                to: unsafe { y.pixel(from).add(channels.start) },
                stride: y.stride,
                channels: channels.len(),
            };
            let work = Tile { starts, rows: to - from, run, w: w.panel(panel).as_ptr(), vectors, finish };
            // SAFETY: starts point at whole runs of `x` or at `zeros`; the panel is as long as packed; the pixels'
            // channels are this task's alone.
            unsafe { work.run(isa) };
        }
    }
}
