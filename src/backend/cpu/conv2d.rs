//! Convolution and dense layers on register tiles: implicit GEMM, the input read in place.
//!
//! A task is a block of pixels by a group of filter panels. Within it, panels are the outer loop, so that a panel
//! stays in the second-level cache while the block's pixels pass by.

use std::ops::Range;

use super::ahead::Ahead;
use super::element::Element;
use super::pack::{PanelLayout, Panels};
use super::simd::Isa;
use super::tile::{Tile, TileEpilogue, Tiled};
use super::windows::Windows;
use super::workers::{Workers, part};
use crate::ops::{Activation, window};

/// Extents and windows of a convolution or a pool; a dense layer is a 1x1 convolution over `n` images of one pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvGeometry {
    pub x: [usize; 4],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub axes: [window::Axis; 2],
}

impl ConvGeometry {
    /// Output pixels.
    pub fn pixels(&self) -> usize {
        self.x[0] * self.axes[0].out * self.axes[1].out
    }

    /// Whether every window lies within the input.
    pub fn is_unpadded(&self) -> bool {
        (0..2).all(|i| {
            let axis = self.axes[i];
            axis.before == 0 && (axis.out - 1) * self.stride[i] + self.kernel[i] <= self.x[1 + i]
        })
    }

    /// Runs per pixel and values per run. Without padding a kernel row is contiguous in the input.
    pub fn runs(&self) -> (usize, usize) {
        let ([k_h, k_w], c) = (self.kernel, self.x[3]);
        if self.is_unpadded() { (k_h, k_w * c) } else { (k_h * k_w, c) }
    }
}

/// What a convolution does with its sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epilogue<'a, E = f32> {
    pub bias: Option<&'a [f32]>,
    pub activation: Activation,
    pub alpha: Option<&'a [f32]>,
    /// The scale of the sums, and what is added to them: dense `[pixels, c_out]`.
    pub residual: Option<(f32, &'a [E])>,
}

impl<'a, E> Epilogue<'a, E> {
    /// Asserts that operands are as long as `pixels` of `c_out` channels ask.
    pub fn check(&self, pixels: usize, c_out: usize) {
        assert!([self.bias, self.alpha].into_iter().flatten().all(|values| values.len() == c_out));
        assert!(self.residual.is_none_or(|(_, residual)| residual.len() == pixels * c_out));
    }

    /// The same for register tiles.
    pub fn padded(&self, layout: &PanelLayout) -> PaddedEpilogue<'a, E>
    where
        E: Copy,
    {
        let pad = |values: Option<&[f32]>| {
            values.map(|values| {
                let mut padded = values.to_vec();
                padded.resize(values.len().next_multiple_of(2 * layout.lanes), 0.0);
                padded
            })
        };
        PaddedEpilogue { epilogue: *self, bias: pad(self.bias), alpha: pad(self.alpha), c_out: layout.c_out }
    }
}

/// An epilogue with whole vectors of channels, so that tiles read them without a tail.
pub(super) struct PaddedEpilogue<'a, E> {
    epilogue: Epilogue<'a, E>,
    bias: Option<Vec<f32>>,
    alpha: Option<Vec<f32>>,
    c_out: usize,
}

impl<E> PaddedEpilogue<'_, E> {
    /// For a panel's channels, from pixel `first` on; where it goes is left open.
    pub fn of(&self, channels: Range<usize>, first: usize) -> TileEpilogue<E> {
        let of = |values: &Option<Vec<f32>>| values.as_ref().map_or(std::ptr::null(), |v| v[channels.start..].as_ptr());
        let (scale, residual) = self.epilogue.residual.unwrap_or((1.0, &[]));
        let residual = residual.get(first * self.c_out + channels.start..).filter(|rest| !rest.is_empty());
        TileEpilogue {
            bias: of(&self.bias),
            activation: self.epilogue.activation,
            alpha: of(&self.alpha),
            residual: residual.map_or(std::ptr::null(), <[E]>::as_ptr),
            residual_stride: self.c_out,
            scale,
            to: std::ptr::null(),
            first: channels.start,
            channels: channels.len(),
        }
    }
}

/// Where the output goes: pixel `p`'s channels start at `p * stride`, unless the pixels are some of a larger image's.
#[derive(Clone, Copy)]
pub(super) struct Output<E = f32> {
    pub to: *mut E,
    pub stride: usize,
    pub grid: Option<Grid>,
}

/// Pixels of an image at equal steps from a first one: `[y, x]`.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// The whole image's extents.
    pub image: [usize; 2],
    /// The first pixel.
    pub first: [usize; 2],
    /// From one pixel to the next.
    pub step: [usize; 2],
    /// How many there are.
    pub out: [usize; 2],
}

impl<E: Element> Output<E> {
    /// Pixels that follow each other.
    pub fn new(to: *mut E, stride: usize) -> Self {
        Output { to, stride, grid: None }
    }

    /// Where pixel `at` starts.
    pub fn pixel(&self, at: usize) -> *mut E {
        let at = self.grid.map_or(at, |grid| {
            let (x, y, image) = (at % grid.out[1], at / grid.out[1] % grid.out[0], at / grid.out[1] / grid.out[0]);
            let (y, x) = (grid.first[0] + y * grid.step[0], grid.first[1] + x * grid.step[1]);
            (image * grid.image[0] + y) * grid.image[1] + x
        });
        self.to.wrapping_add(at * self.stride)
    }
}

// SAFETY: tasks write disjoint pixels and channels.
unsafe impl<E: Element> Send for Output<E> {}
// SAFETY: as above; nothing is read through it.
unsafe impl<E: Element> Sync for Output<E> {}

/// Pixels of a task: with at most 1,792 channels in, its input stays in the second-level cache.
const BLOCK: usize = 168;

/// Runs the convolution.
///
/// # Safety
/// `y` is writable for every output pixel, and overlaps neither `x` nor what the epilogue reads.
pub(super) unsafe fn run<E: Tiled>(
    workers: Workers,
    geometry: ConvGeometry,
    x: &[E],
    w: Panels<E>,
    epilogue: Epilogue<E>,
    y: Output<E>,
) {
    let (pixels, layout) = (geometry.pixels(), w.layout);
    assert_eq!(x.len(), geometry.x.iter().product::<usize>());
    assert_eq!(layout.k, (geometry.kernel[0] * geometry.kernel[1] * geometry.x[3]).next_multiple_of(E::STEP));
    epilogue.check(pixels, layout.c_out);
    let epilogue = epilogue.padded(&layout);
    let blocks = workers.even(pixels.div_ceil(BLOCK));
    // Few pixels: split the panels too, so that every thread has work.
    let groups = workers.few().div_ceil(blocks.max(1)).min(layout.count());
    workers.each(blocks * groups, |task| {
        let (block, group) = (part(pixels, blocks, task / groups), part(layout.count(), groups, task % groups));
        // SAFETY: blocks and groups partition pixels and panels; the rest is the caller's promise.
        unsafe { run_block(workers.isa(), &geometry, x, w, &epilogue, y, block, group) }
    });
}

/// # Safety
/// As [`run`], for these pixels and panels.
#[allow(clippy::too_many_arguments)]
unsafe fn run_block<E: Tiled>(
    isa: Isa,
    geometry: &ConvGeometry,
    x: &[E],
    w: Panels<E>,
    epilogue: &PaddedEpilogue<E>,
    y: Output<E>,
    pixels: Range<usize>,
    panels: Range<usize>,
) {
    let tiles = pixels.len().div_ceil(E::rows(isa));
    let bounds = |tile: usize| tile * pixels.len() / tiles;
    let outputs: Vec<*mut E> = pixels.clone().map(|pixel| y.pixel(pixel)).collect();
    let windows = Windows::new(isa, geometry, x, pixels.clone());
    let first = panels.start;
    for panel in panels {
        let (channels, vectors) = w.layout.channels(panel);
        for tile in 0..tiles {
            let (from, to) = (bounds(tile), bounds(tile + 1));
            let tile_epilogue =
                TileEpilogue { to: outputs[from..].as_ptr(), ..epilogue.of(channels.clone(), pixels.start + from) };
            // Further panels find the inputs in a cache, and further runs are for the most part the neighbours'.
            let fresh = panel == first && windows.runs == 1 && tile + 1 < tiles;
            let ahead = Ahead { filters: tile == 0, rows: if fresh { bounds(tile + 2) - to } else { 0 } };
            let work = Tile {
                // An input that no filter meets has no runs.
                starts: windows.starts.as_ptr().wrapping_add(from),
                between: pixels.len(),
                runs: windows.runs,
                rows: to - from,
                run: windows.run,
                w: w.panel(panel).as_ptr(),
                vectors,
                epilogue: tile_epilogue,
                ahead,
            };
            // SAFETY: starts point at whole runs, of `x` or what the windows hold; the panel is as long as packed; the pixels'
            // channels are this task's alone.
            unsafe { work.run(isa) };
        }
    }
}
