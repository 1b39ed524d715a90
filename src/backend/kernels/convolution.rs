//! What convolutions and dense layers share: the tile is chosen by the device's type and the filters' extents, never by
//! the batch.

use super::dialect::{Dialect, MatrixUnits};
use super::filters::{Filters, Packing};
use super::{Call, Operand, PixelMap, Tuning, call, fields};
use crate::Shape;
use crate::graph::View;
use crate::ops::{Activation, Conv2d};

fields! {
    Params {
        h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, stride_y: u32, stride_x: u32, pad_y: u32,
        pad_x: u32, taps_y: u32, taps_x: u32, run: u32, pixels: u32, columns: u32, y_offset: u32, y_stride: u32,
        flags: u32, scale: f32,
    }
}

/// How much a workgroup computes.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    entry: &'static str,
    /// Output pixels.
    rows: usize,
    /// Output channels.
    columns: usize,
    pub packing: Packing,
    /// Values of k that the copy engine brings at once; 0 where threads bring them.
    engine: usize,
}

impl Tile {
    const fn new(entry: &'static str, rows: usize, columns: usize) -> Tile {
        Tile { entry, rows, columns, packing: Packing::Columns, engine: 0 }
    }

    /// Products and sums of f32, each by its own instruction.
    fn fma(c_out: usize) -> Tile {
        // Few channels: the filters are the same for all threads.
        if c_out <= 16 { Tile::new("conv2d_fwd_narrow", 128, 16) } else { Tile::new("conv2d_fwd_tile", 128, 64) }
    }

    fn mma(c_out: usize) -> Tile {
        let widths = [("conv2d_fwd_mma_n128", 128), ("conv2d_fwd_mma_n64", 64), ("conv2d_fwd_mma_n32", 32)];
        // Narrower blocks bring more for each product: a tenth more work is better than half the width.
        let work = |&(_, n): &(&str, usize)| c_out.div_ceil(n) * n * if n == 128 { 10 } else { 11 + (64 - n) / 16 };
        let (entry, n) = widths.into_iter().min_by_key(work).expect("three");
        Tile { packing: Packing::Rows, ..Tile::new(entry, 128, n) }
    }

    fn wgmma(c_out: usize, c_in: usize) -> Tile {
        let (n, k) = (warpgroup_columns(c_out), engine_channels(c_in));
        let entry = match (n, k) {
            (32, 64) => "sm90_conv2d_fwd_wgmma_n32k64",
            (32, _) => "sm90_conv2d_fwd_wgmma_n32k32",
            (64, 64) => "sm90_conv2d_fwd_wgmma_n64k64",
            (64, _) => "sm90_conv2d_fwd_wgmma_n64k32",
            (96, 64) => "sm90_conv2d_fwd_wgmma_n96k64",
            (96, _) => "sm90_conv2d_fwd_wgmma_n96k32",
            (_, 64) => "sm90_conv2d_fwd_wgmma_n128k64",
            _ => "sm90_conv2d_fwd_wgmma_n128k32",
        };
        Tile { packing: Packing::Rows, engine: k, ..Tile::new(entry, 128, n) }
    }

    pub fn choose(c_out: usize, c_in: usize, tuning: Tuning) -> Tile {
        match tuning.dialect {
            // Few channels: the filters are the same for all threads.
            Dialect::Shader | Dialect::SoftwareShader if c_out <= 16 => Tile::new("conv2d_fwd_narrow", 128, 16),
            // Real GPUs: workgroup memory feeds 256 threads.
            Dialect::Shader => Tile::new("conv2d_fwd_tile", 64, 64),
            // Software: eight threads are the lanes of a vector; workgroup memory would only be copied through.
            // Half as many channels where half of them would be wasted.
            Dialect::SoftwareShader if (1..=32).contains(&(c_out % 64)) => Tile::new("conv2d_fwd_register4", 8, 32),
            Dialect::SoftwareShader => Tile::new("conv2d_fwd_register", 8, 64),
            Dialect::Cuda(MatrixUnits::Fma) => Tile::fma(c_out),
            // The copy engine moves 16 bytes at least.
            Dialect::Cuda(MatrixUnits::Wgmma) if c_in.is_multiple_of(8) => Tile::wgmma(c_out, c_in),
            Dialect::Cuda(MatrixUnits::Mma | MatrixUnits::Wgmma) => Tile::mma(c_out),
        }
    }

    /// Bytes of dynamic shared memory: pieces of both factors, aligned to 1,024 bytes, and their barriers.
    fn shared(&self) -> u32 {
        if self.engine == 0 { 0 } else { warpgroup_shared(self.columns, self.engine) }
    }
}

/// Outputs that a warpgroup makes at once, of so many.
pub(super) fn warpgroup_columns(c_out: usize) -> usize {
    match c_out {
        ..=32 => 32,
        33..=64 => 64,
        65..=96 | 129..=192 => 96,
        _ => 128,
    }
}

/// Channels that the copy engine brings at once: 64, unless a fifth of the products were with zeros and 32 waste less.
pub(super) fn engine_channels(c_in: usize) -> usize {
    if c_in.next_multiple_of(64) * 5 <= c_in.next_multiple_of(32) * 6 { 64 } else { 32 }
}

/// Bytes of shared memory that warpgroups take: pieces of k values by 128 rows and n columns.
pub(super) fn warpgroup_shared(n: usize, k: usize) -> u32 {
    // `Share` of kernels/wgmma.cuh.
    let stages = if (n, k) == (96, 64) { 3 } else { 4 };
    (stages * (128 + n) * 2 * k + 1024 + 64) as u32
}

const BIAS: u32 = 1;
const RELU: u32 = 2;
const PRELU: u32 = 4;
const RESIDUAL: u32 = 8;

pub(super) fn flags(bias: bool, activation: Activation, residual: bool) -> u32 {
    let activation = match activation {
        Activation::None => 0,
        Activation::Relu => RELU,
        Activation::PRelu => PRELU,
    };
    activation | if bias { BIAS } else { 0 } | if residual { RESIDUAL } else { 0 }
}

/// A convolution as its kernels take it, whichever op it serves.
pub(super) struct Windows {
    /// The input, `[n, h, w, c_in]`.
    pub x: View,
    /// Channels of the output.
    pub c_out: usize,
    /// Extents of the window.
    pub kernel: [usize; 2],
    /// Its steps.
    pub stride: [usize; 2],
    /// How far the first window begins before the input; below zero, within it.
    pub before: [isize; 2],
    /// Positions of the window.
    pub out: [usize; 2],
}

/// What follows the sums of a convolution.
pub(super) struct Rest {
    /// Bits: 1 bias, 2 relu, 4 prelu, 8 residual.
    pub flags: u32,
    /// Scales before the residual is added.
    pub scale: f32,
    /// The bias, the slopes, the residual.
    pub given: [Operand; 3],
    /// The output, and where its rows begin and how far apart they are.
    pub y: (Operand, usize, usize),
}

impl Rest {
    /// Nothing but a dense output.
    pub fn plain(y: Operand, c_out: usize) -> Rest {
        let given = [Operand::NoConstant, Operand::NoConstant, Operand::NoValue];
        Rest { flags: 0, scale: 1.0, given, y: (y, 0, c_out) }
    }
}

impl Windows {
    /// The convolution's tile.
    pub fn tile(&self, tuning: Tuning) -> Tile {
        Tile::choose(self.c_out, self.x.shape.last(), tuning)
    }

    /// The call, with the filters that [`Filters`] gave for this tile.
    pub fn call(self, tile: Tile, filters: Filters, rest: Rest, tuning: Tuning) -> Result<Call, String> {
        let [n, h, w, c_in] = self.x.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let Windows { c_out, kernel: [k_h, k_w], stride, before, out, .. } = self;
        let inside = |axis: usize, kernel: usize, extent: usize| {
            before[axis] == 0 && (out[axis] - 1) * stride[axis] + kernel <= extent
        };
        // Without padding the taps of a kernel row follow each other in the input, and count as one; but the copy engine
        // knows channels from pixels.
        let joined = tile.engine == 0 && inside(0, k_h, h) && inside(1, k_w, w);
        let (taps_x, run) = if joined { (1, k_w * c_in) } else { (k_w, c_in) };
        let pixels = n * out[0] * out[1];
        let (y, y_offset, y_stride) = rest.y;
        let params = Params {
            h: h as u32,
            w: w as u32,
            c_in: c_in as u32,
            h_out: out[0] as u32,
            w_out: out[1] as u32,
            c_out: c_out as u32,
            stride_y: stride[0] as u32,
            stride_x: stride[1] as u32,
            // Kernels read them as signed.
            pad_y: before[0] as u32,
            pad_x: before[1] as u32,
            taps_y: k_h as u32,
            taps_x: taps_x as u32,
            run: run as u32,
            pixels: pixels as u32,
            columns: filters.pitch,
            y_offset: (y_offset % 64) as u32,
            y_stride: y_stride as u32,
            flags: rest.flags,
            scale: rest.scale,
        };
        let [x, w] = match tile.engine {
            0 => [Operand::View(self.x), filters.operand],
            k => {
                let walk = PixelMap::new(self.x, stride, before, out, k, tile.rows)?;
                let extents = [filters.pitch as usize, c_out];
                let w = Operand::Matrix { of: Box::new(filters.operand), extents, window: [k, tile.columns] };
                [Operand::Pixels(Box::new(walk)), w]
            }
        };
        let [gx, gz] = tuning.fold(pixels.div_ceil(tile.rows))?;
        let groups = [gx, c_out.div_ceil(tile.columns) as u32, gz];
        let operands = [x, w].into_iter().chain(rest.given).chain([y]).collect();
        Ok(Call { shared: tile.shared(), ..call::<Conv2d>(tile.entry, params, operands, groups) })
    }

    /// A dense layer as a convolution of images of one pixel.
    pub fn of_pixels(x: &View, rows: usize, k: usize, c_out: usize) -> Windows {
        let x = View { shape: Shape::from([rows, 1, 1, k]), stride: k, ..x.clone() };
        Windows { x, c_out, kernel: [1; 2], stride: [1; 2], before: [0; 2], out: [1; 2] }
    }
}
