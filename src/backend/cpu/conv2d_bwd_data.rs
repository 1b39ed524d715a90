//! The gradient of a convolution's input, as convolutions of the output's gradient on the forward tile.
//!
//! Pixels whose place differs by whole strides meet the same taps: for each such phase it is a convolution of stride 1
//! with those taps in reverse, whose outputs are every so many pixels of the gradient.

use super::conv2d::{self, ConvGeometry, Epilogue, Grid, Output};
use super::pack::{PanelLayout, Panels};
use super::simd::Isa;
use super::workers::Workers;
use crate::ops::Activation;
use crate::ops::window::Axis;

/// One axis of a phase.
#[derive(Clone, Copy, Debug)]
struct Phase {
    /// The first pixel.
    first: usize,
    /// The axis of the convolution over the output's gradient.
    axis: Axis,
    /// The first tap; from one to the next it is a stride.
    tap: usize,
    /// How many taps there are.
    taps: usize,
}

impl Phase {
    /// The pixels, of `extent`, which lie `phase` after a multiple of the stride.
    fn new(extent: usize, axis: Axis, kernel: usize, stride: usize, phase: usize) -> Self {
        let taps = kernel.saturating_sub(phase).div_ceil(stride);
        let strides = axis.before.saturating_sub(phase).div_ceil(stride);
        let first = phase + strides * stride - axis.before;
        // May be below zero: pixels past the first window's start. `ConvGeometry` counts modulo 2^64.
        let before = taps.wrapping_sub(1).wrapping_sub(strides);
        Phase { first, axis: Axis { out: extent.saturating_sub(first).div_ceil(stride), before }, tap: phase, taps }
    }
}

/// Values that packed filters `[c_out, taps, c_in]` take.
pub(super) fn scratch(isa: Isa, w: &[usize; 4]) -> usize {
    PanelLayout::new(isa, w[0] * w[1] * w[2], w[3]).len()
}

/// Runs it: `geometry` is the forward convolution's, `w: [c_out, k_h, k_w, c_in]`.
///
/// # Safety
/// `dx` is writable for every pixel of the forward convolution's input, and overlaps nothing.
pub(super) unsafe fn run(
    workers: Workers,
    geometry: ConvGeometry,
    dy: &[f32],
    w: &[f32],
    scratch: &mut [f32],
    dx: *mut f32,
) {
    let [n, h, w_in, c_in] = geometry.x;
    let ([k_h, k_w], [s_y, s_x], [ay, ax]) = (geometry.kernel, geometry.stride, geometry.axes);
    let c_out = dy.len() / geometry.pixels();
    for (py, px) in (0..s_y).flat_map(|py| (0..s_x).map(move |px| (py, px))) {
        let (y, x) = (Phase::new(h, ay, k_h, s_y, py), Phase::new(w_in, ax, k_w, s_x, px));
        if y.axis.out == 0 || x.axis.out == 0 {
            continue;
        }
        let rows = (0..y.taps).rev().map(|i| y.tap + i * s_y);
        let taps: Vec<usize> = rows.flat_map(|ky| (0..x.taps).rev().map(move |i| ky * k_w + x.tap + i * s_x)).collect();
        let layout = PanelLayout::new(workers.isa(), taps.len() * c_out, c_in);
        let panels = Panels::backward(workers, layout, w, c_out, k_h * k_w, &taps, scratch);
        let phase = ConvGeometry {
            x: [n, ay.out, ax.out, c_out],
            kernel: [y.taps, x.taps],
            stride: [1, 1],
            axes: [y.axis, x.axis],
        };
        let grid =
            Grid { image: [h, w_in], first: [y.first, x.first], step: [s_y, s_x], out: [y.axis.out, x.axis.out] };
        let epilogue = Epilogue { bias: None, activation: Activation::None, alpha: None, residual: None };
        // SAFETY: the grid's pixels are those of the input, as the caller promises.
        unsafe { conv2d::run(workers, phase, dy, panels, epilogue, Output { to: dx, stride: c_in, grid: Some(grid) }) }
    }
}
