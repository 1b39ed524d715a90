//! Convolutions and dense layers: the tile is chosen by the device's type and the filters' extents, never by the batch.

use super::dialect::{Dialect, MatrixUnits};
use super::params::{self, Params};
use super::{Call, Operand, PixelMap, Tuning, call};
use crate::Shape;
use crate::graph::{Region, Step, View};
use crate::ops::{Activation, Conv2d, Dense, LocalConv2d, Op, window};

/// How filters `[c_out, ..k]` lie on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::backend) enum Packing {
    /// `[k, c_out]`, channels padded to a multiple of four: a row holds every filter's weight of one input.
    Columns,
    /// `[c_out, k]`, k padded to a multiple of eight: what matrix units read.
    Rows,
}

/// How input `i` of an op is packed if it is a parameter of this shape; `None` leaves it as it is.
pub(in crate::backend) fn packing(op: &Op, i: usize, shape: &Shape, tuning: Tuning) -> Option<Packing> {
    match (i, op) {
        (1, Op::Conv2d(_)) => Some(Tile::choose(shape.dims()[0], shape.last(), tuning).packing),
        // Matrix units take it for a convolution of one pixel.
        (1, Op::Dense(_)) if tuning.matrix_units() => Some(Packing::Rows),
        (1, Op::Dense(_)) => Some(Packing::Columns),
        _ => None,
    }
}

/// How much a workgroup computes.
#[derive(Clone, Copy)]
struct Tile {
    entry: &'static str,
    /// Output pixels.
    rows: usize,
    /// Output channels.
    columns: usize,
    packing: Packing,
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
        // Pieces of 64 channels, unless a fifth of the products were with zeros and 32 waste less.
        let wide = c_in.next_multiple_of(64) * 5 <= c_in.next_multiple_of(32) * 6;
        let (entry, n) = match (c_out, wide) {
            (..=32, true) => ("sm90_conv2d_fwd_wgmma_n32k64", 32),
            (..=32, false) => ("sm90_conv2d_fwd_wgmma_n32k32", 32),
            (..=64, true) => ("sm90_conv2d_fwd_wgmma_n64k64", 64),
            (..=64, false) => ("sm90_conv2d_fwd_wgmma_n64k32", 64),
            (65..=96 | 129..=192, true) => ("sm90_conv2d_fwd_wgmma_n96k64", 96),
            (65..=96 | 129..=192, false) => ("sm90_conv2d_fwd_wgmma_n96k32", 96),
            (_, true) => ("sm90_conv2d_fwd_wgmma_n128k64", 128),
            (_, false) => ("sm90_conv2d_fwd_wgmma_n128k32", 128),
        };
        Tile { packing: Packing::Rows, engine: if wide { 64 } else { 32 }, ..Tile::new(entry, 128, n) }
    }

    fn choose(c_out: usize, c_in: usize, tuning: Tuning) -> Tile {
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
        if self.engine == 0 {
            return 0;
        }
        // `Share` of kernels/wgmma.cuh.
        let stages = if (self.columns, self.engine) == (96, 64) { 3 } else { 4 };
        (stages * (self.rows + self.columns) * 2 * self.engine + 1024 + 64) as u32
    }
}

const BIAS: u32 = 1;
const RELU: u32 = 2;
const PRELU: u32 = 4;
const RESIDUAL: u32 = 8;

fn flags(bias: bool, activation: Activation, residual: bool) -> u32 {
    let activation = match activation {
        Activation::None => 0,
        Activation::Relu => RELU,
        Activation::PRelu => PRELU,
    };
    activation | if bias { BIAS } else { 0 } | if residual { RESIDUAL } else { 0 }
}

pub fn conv2d(op: &Conv2d, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [n, h, w, c_in] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let [c_out, k_h, k_w, _] = step.inputs[1].shape.nhwc().ok_or("w is not [c_out, k_h, k_w, c_in]")?;
    let [ay, ax] = window::axes([h, w], [k_h, k_w], op.stride, op.padding)?;
    let [bias, alpha, residual] = op.optional_inputs();
    let tile = Tile::choose(c_out, c_in, tuning);
    let (pack, filters, columns) = filters(step, k_h * k_w * c_in, tile.packing, tuning)?;
    let tile = if pack.is_some() && tuning.cuda() { Tile::fma(c_out) } else { tile };
    let inside = |axis: window::Axis, kernel: usize, stride: usize, extent: usize| {
        axis.before == 0 && (axis.out - 1) * stride + kernel <= extent
    };
    // Without padding the taps of a kernel row follow each other in the input, and count as one; but the copy engine
    // knows channels from pixels.
    let joined = tile.engine == 0 && inside(ay, k_h, op.stride[0], h) && inside(ax, k_w, op.stride[1], w);
    let (taps_x, run) = if joined { (1, k_w * c_in) } else { (k_w, c_in) };
    let pixels = n * ay.out * ax.out;
    let params = params::Conv2d {
        h: h as u32,
        w: w as u32,
        c_in: c_in as u32,
        h_out: ay.out as u32,
        w_out: ax.out as u32,
        c_out: c_out as u32,
        stride_y: op.stride[0] as u32,
        stride_x: op.stride[1] as u32,
        pad_y: ay.before as u32,
        pad_x: ax.before as u32,
        taps_y: k_h as u32,
        taps_x: taps_x as u32,
        run: run as u32,
        pixels: pixels as u32,
        columns,
        y_offset: (step.output.offset % 64) as u32,
        y_stride: step.output.stride as u32,
        flags: flags(op.bias, op.activation, residual.is_some()),
        scale: op.residual_scale.unwrap_or(1.0),
    };
    let last = |axis: window::Axis, stride: usize, extent: usize| {
        ((axis.out - 1) * stride) as i32 - axis.before as i32 - (extent as i32 - 1)
    };
    let walk = PixelMap {
        x: step.inputs[0].clone(),
        lower: [-(ax.before as i32), -(ay.before as i32)],
        upper: [last(ax, op.stride[1], w), last(ay, op.stride[0], h)],
        stride: [op.stride[1] as u32, op.stride[0] as u32],
        channels: tile.engine as u32,
        pixels: tile.rows as u32,
    };
    let [x, w] = factors(tile, walk, filters, c_out, columns as usize);
    let [gx, gz] = tuning.fold(pixels.div_ceil(tile.rows))?;
    let groups = [gx, c_out.div_ceil(tile.columns) as u32, gz];
    let operands = vec![
        x,
        w,
        Operand::constant(step, bias),
        Operand::constant(step, alpha),
        residual.map_or(Operand::NoValue, |i| Operand::View(step.inputs[i].clone())),
        Operand::View(step.output.clone()),
    ];
    let conv2d = Call { shared: tile.shared(), ..call(tile.entry, params, operands, groups) };
    Ok(pack.into_iter().chain([conv2d]).collect())
}

/// Input and filters as a tile's kernel takes them.
fn factors(tile: Tile, walk: PixelMap, filters: Operand, c_out: usize, pitch: usize) -> [Operand; 2] {
    match filters {
        Operand::Packed(w, Packing::Rows) if tile.engine > 0 => {
            let filters = Operand::Filters { w, extents: [pitch, c_out], window: [tile.engine, tile.columns] };
            [Operand::Pixels(Box::new(walk)), filters]
        }
        filters => [Operand::View(walk.x), filters],
    }
}

pub fn dense(op: &Dense, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let &[rows, c_out] = step.output.shape.dims() else { return Err("y is not [n, c_out]".into()) };
    let k = step.inputs[1].shape.last();
    let [bias, alpha] = op.optional_inputs();
    let flags = flags(op.bias, op.activation, false);
    let packing = if tuning.matrix_units() { Packing::Rows } else { Packing::Columns };
    let (pack, filters, columns) = filters(step, k, packing, tuning)?;
    let (b, alpha) = (Operand::constant(step, bias), Operand::constant(step, alpha));
    let y = Operand::View(step.output.clone());
    if matches!(filters, Operand::Packed(_, Packing::Rows)) {
        return dense_as_conv2d(step, [rows, k, c_out], flags, filters, [b, alpha, Operand::NoValue, y], tuning);
    }
    let params = params::Dense { rows: rows as u32, k: k as u32, c_out: c_out as u32, columns, flags };
    let groups = if tuning.cuda() {
        [c_out.div_ceil(64) as u32, rows.div_ceil(16) as u32, 1]
    } else {
        let [y, z] = tuning.fold(rows.div_ceil(4))?;
        [c_out.div_ceil(4 * 32) as u32, y, z]
    };
    let operands = vec![Operand::View(step.inputs[0].clone()), filters, b, alpha, y];
    Ok(pack.into_iter().chain([call("dense_fwd", params, operands, groups)]).collect())
}

/// A dense layer as a convolution of images of one pixel.
fn dense_as_conv2d(
    step: &Step,
    [rows, k, c_out]: [usize; 3],
    flags: u32,
    filters: Operand,
    rest: [Operand; 4],
    tuning: Tuning,
) -> Result<Vec<Call>, String> {
    let tile = Tile::choose(c_out, k, tuning);
    let columns = k.next_multiple_of(8);
    let params = params::Conv2d {
        h: 1,
        w: 1,
        c_in: k as u32,
        h_out: 1,
        w_out: 1,
        c_out: c_out as u32,
        stride_y: 1,
        stride_x: 1,
        pad_y: 0,
        pad_x: 0,
        taps_y: 1,
        taps_x: 1,
        run: k as u32,
        pixels: rows as u32,
        columns: columns as u32,
        y_offset: (step.output.offset % 64) as u32,
        y_stride: step.output.stride as u32,
        flags,
        scale: 1.0,
    };
    let x = View { shape: Shape::from([rows, 1, 1, k]), ..step.inputs[0].clone() };
    let (channels, pixels) = (tile.engine as u32, tile.rows as u32);
    let walk = PixelMap { x, lower: [0; 2], upper: [0; 2], stride: [1; 2], channels, pixels };
    let factors = factors(tile, walk, filters, c_out, columns);
    let groups = [rows.div_ceil(tile.rows) as u32, c_out.div_ceil(tile.columns) as u32, 1];
    let operands = factors.into_iter().chain(rest).collect();
    Ok(vec![Call { shared: tile.shared(), ..call(tile.entry, params, operands, groups) }])
}

/// The filters, packed, and the parameter that tells their rows' length; where filters are computed, with the call
/// that packs them, in columns.
fn filters(step: &Step, k: usize, packing: Packing, tuning: Tuning) -> Result<(Option<Call>, Operand, u32), String> {
    let w = &step.inputs[1];
    let c_out = w.shape.dims()[0];
    let columns = c_out.next_multiple_of(4);
    if let Region::Param(id) = w.region {
        let length = match packing {
            Packing::Columns => columns / 4,
            Packing::Rows => k.next_multiple_of(8),
        };
        return Ok((None, Operand::Packed(id, packing), length as u32));
    }
    let packed = Operand::Scratch(k * columns);
    let params = params::Pack { k: k as u32, c_out: c_out as u32, columns: columns as u32 };
    let operands = vec![Operand::View(w.clone()), packed.clone()];
    let pack = call(params::Pack::STEM, params, operands, tuning.threads(k * columns)?);
    Ok((Some(pack), packed, (columns / 4) as u32))
}

pub fn local_conv2d(op: &LocalConv2d, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [_, h, w, c_in] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let &[h_out, w_out, c_out, k_h, k_w, _] = step.inputs[1].shape.dims() else {
        return Err("w is not [h_out, w_out, c_out, k_h, k_w, c_in]".into());
    };
    let outputs = step.output.shape.elements();
    let params = params::LocalConv2d {
        h: h as u32,
        w: w as u32,
        c_in: c_in as u32,
        h_out: h_out as u32,
        w_out: w_out as u32,
        c_out: c_out as u32,
        k_h: k_h as u32,
        k_w: k_w as u32,
        stride_y: op.stride[0] as u32,
        stride_x: op.stride[1] as u32,
        outputs: outputs as u32,
        relu: u32::from(op.activation == Activation::Relu),
    };
    let [x, w, b] = [0, 1, 2].map(|i| step.inputs[i].clone());
    let operands = vec![Operand::View(x), Operand::View(w), Operand::Constant(b), Operand::View(step.output.clone())];
    Ok(vec![call("local_conv2d_fwd", params, operands, tuning.threads(outputs)?)])
}
