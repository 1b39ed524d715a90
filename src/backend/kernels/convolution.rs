//! What convolutions and dense layers share: the tile is chosen by the device's type and the filters' extents. On tensor
//! cores it may be narrower where the pixels are few, which changes no sum: k is cut alike in every width.

use std::borrow::Cow;

use super::dialect::{Dialect, TensorCores};
use super::filters::{Filters, Packing};
use super::kernel::{Kernel, MMA_WIDTHS, ROWS, WGMMA_WIDTHS};
use super::{Call, Operand, PixelMap, Tuning, call_on, fields};
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

/// A kernel of convolutions, and how it takes its filters.
#[derive(Clone)]
pub(super) struct Tile {
    kernel: Kernel,
    pub packing: Packing,
}

impl Tile {
    /// Products and sums of f32, each by its own instruction: on the device's own columns of filters.
    const fn fma(entry: &'static str, tile: [usize; 2], threads: u32) -> Tile {
        Tile { kernel: Kernel::fma(Cow::Borrowed(entry), tile, threads), packing: Packing::Columns }
    }

    fn mma(c_out: usize, pixels: usize) -> Tile {
        // Narrower blocks bring more for each product: a tenth more work is better than half the width.
        let work = |&n: &usize| c_out.div_ceil(n) * n * if n == 128 { 10 } else { 11 + (64 - n) / 16 };
        let n = MMA_WIDTHS.into_iter().rev().min_by_key(work).expect("three");
        let n = narrowed(n, &MMA_WIDTHS, c_out, pixels);
        Tile { kernel: Kernel::mma("conv2d_fwd", 'n', n, [ROWS, n]), packing: Packing::Rows }
    }

    fn wgmma(c_out: usize, c_in: usize, pixels: usize) -> Tile {
        let n = narrowed(warpgroup_columns(c_out), &WGMMA_WIDTHS, c_out, pixels);
        let k = tma_channels(c_in);
        Tile { kernel: Kernel::wgmma("conv2d_fwd", n, ('k', k), [ROWS, n], k), packing: Packing::Rows }
    }

    /// For a product of `pixels` rows.
    fn choose(c_out: usize, c_in: usize, pixels: usize, tuning: Tuning) -> Tile {
        match tuning.dialect {
            // Few channels: the filters are the same for all threads.
            Dialect::Shader | Dialect::SoftwareShader if c_out <= 16 => Tile::fma("conv2d_fwd_narrow", [128, 16], 128),
            // Real GPUs: workgroup memory feeds 256 threads.
            Dialect::Shader => Tile::fma("conv2d_fwd_tile", [64, 64], 256),
            // Software: eight threads are the lanes of a vector; workgroup memory would only be copied through.
            // Half as many channels where half of them would be wasted.
            Dialect::SoftwareShader if (1..=32).contains(&(c_out % 64)) => {
                Tile::fma("conv2d_fwd_register4", [8, 32], 8)
            }
            Dialect::SoftwareShader => Tile::fma("conv2d_fwd_register", [8, 64], 8),
            Dialect::Cuda(TensorCores::None) if c_out <= 16 => Tile::fma("conv2d_fwd_narrow", [128, 16], 128),
            Dialect::Cuda(TensorCores::None) => Tile::fma("conv2d_fwd_tile", [128, 64], 256),
            // TMA moves 16 bytes at least.
            Dialect::Cuda(TensorCores::Wgmma) if c_in.is_multiple_of(8) => Tile::wgmma(c_out, c_in, pixels),
            Dialect::Cuda(TensorCores::Mma | TensorCores::Wgmma) => Tile::mma(c_out, pixels),
        }
    }
}

/// How the filters of a convolution are packed, however many pixels there are.
pub(super) fn packing(c_out: usize, c_in: usize, tuning: Tuning) -> Packing {
    Tile::choose(c_out, c_in, 1, tuning).packing
}

/// Multiprocessors of a large GPU, about: with fewer blocks some have nothing to do.
const MULTIPROCESSORS: usize = 128;

/// The width, or where that leaves multiprocessors idle, the one up to it with which the busiest is done soonest: a block
/// is sooner done with a part of the columns, and others do the rest meanwhile.
fn narrowed(width: usize, widths: &[usize], c_out: usize, pixels: usize) -> usize {
    let blocks = |n: usize| pixels.div_ceil(ROWS) * c_out.div_ceil(n);
    if blocks(width) >= MULTIPROCESSORS {
        return width;
    }
    // Passes over shared memory for a stage: the rows are written and read, the columns written and read by both halves.
    let work = |&n: &usize| blocks(n).div_ceil(MULTIPROCESSORS) * (2 * ROWS + 3 * n);
    widths.iter().copied().filter(|&n| n <= width).rev().min_by_key(work).unwrap_or(width)
}

/// Output channels of a warpgroup's tile.
pub(super) fn warpgroup_columns(c_out: usize) -> usize {
    match c_out {
        ..=32 => 32,
        33..=64 => 64,
        65..=96 | 129..=192 => 96,
        _ => 128,
    }
}

/// Channels that TMA brings at once: 64, unless a fifth of the products were with zeros and 32 waste less.
pub(super) fn tma_channels(c_in: usize) -> usize {
    if c_in.next_multiple_of(64) * 5 <= c_in.next_multiple_of(32) * 6 { 64 } else { 32 }
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
pub(super) struct ConvGeometry {
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
pub(super) struct Epilogue {
    /// Bits: 1 bias, 2 relu, 4 prelu, 8 residual.
    pub flags: u32,
    /// Scales before the residual is added.
    pub scale: f32,
    /// The bias, the slopes, the residual.
    pub given: [Operand; 3],
    /// The output, and where its rows begin and how far apart they are.
    pub y: (Operand, usize, usize),
}

impl Epilogue {
    /// Nothing but a dense output.
    pub fn plain(y: Operand, c_out: usize) -> Epilogue {
        let given = [Operand::NoConstant, Operand::NoConstant, Operand::NoValue];
        Epilogue { flags: 0, scale: 1.0, given, y: (y, 0, c_out) }
    }
}

impl ConvGeometry {
    /// The convolution's tile.
    pub fn tile(&self, tuning: Tuning) -> Tile {
        let images = self.x.shape.dims()[0];
        Tile::choose(self.c_out, self.x.shape.last(), images * self.out[0] * self.out[1], tuning)
    }

    /// The call, with the filters that [`Filters`] gave for this tile.
    pub fn call(self, tile: Tile, filters: Filters, epilogue: Epilogue, tuning: Tuning) -> Result<Call, String> {
        let [n, h, w, c_in] = self.x.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
        let ConvGeometry { c_out, kernel: [k_h, k_w], stride, before, out, .. } = self;
        let inside = |axis: usize, kernel: usize, extent: usize| {
            before[axis] == 0 && (out[axis] - 1) * stride[axis] + kernel <= extent
        };
        // Without padding the taps of a kernel row follow each other in the input, and count as one; but TMA knows
        // channels from pixels.
        let kernel = tile.kernel;
        let joined = kernel.tma == 0 && inside(0, k_h, h) && inside(1, k_w, w);
        let (taps_x, run) = if joined { (1, k_w * c_in) } else { (k_w, c_in) };
        let pixels = n * out[0] * out[1];
        let (y, y_offset, y_stride) = epilogue.y;
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
            flags: epilogue.flags,
            scale: epilogue.scale,
        };
        let [x, w] = match kernel.tma {
            0 => [Operand::View(self.x), filters.operand],
            k => {
                let walk = PixelMap::new(self.x, stride, before, out, k, kernel.tile[0])?;
                let extents = [filters.pitch as usize, c_out];
                let w = Operand::Matrix { of: Box::new(filters.operand), extents, window: [k, kernel.tile[1]] };
                [Operand::Pixels(Box::new(walk)), w]
            }
        };
        let groups = kernel.groups([pixels, c_out], tuning)?;
        let operands = [x, w].into_iter().chain(epilogue.given).chain([y]).collect();
        Ok(call_on::<Conv2d>(kernel, params, operands, groups))
    }

    /// A dense layer as a convolution of images of one pixel.
    pub fn of_pixels(x: &View, rows: usize, k: usize, c_out: usize) -> ConvGeometry {
        let x = View { shape: Shape::from([rows, 1, 1, k]), stride: k, ..x.clone() };
        ConvGeometry { x, c_out, kernel: [1; 2], stride: [1; 2], before: [0; 2], out: [1; 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_pixels_take_narrow_tiles() {
        for (c_out, pixels, width) in [
            // The filters' own width where blocks are many.
            (192, 256 * 289, 96),
            (128, 256 * 289, 128),
            (32, 1, 32),
            // Of one image's nine pixels nothing fills the GPU: the narrowest.
            (1792, 9, 32),
            (192, 289, 32),
            // 112 wide blocks run beside each other, 160 narrower ones would not.
            (896, 32 * 64, 128),
            (128, 32 * 289, 128),
            (128, 40 * 128, 64),
        ] {
            assert_eq!(narrowed(warpgroup_columns(c_out), &WGMMA_WIDTHS, c_out, pixels), width, "{c_out} {pixels}");
        }
    }
}
