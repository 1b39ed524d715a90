//! Convolutions and dense layers: the tile is chosen by the device's type and the filters' extents, never by the batch.

use super::dialect::{Dialect, MatrixUnits};
use super::params;
use super::{Call, Operand, PixelMap, Tuning, call};
use crate::Shape;
use crate::graph::{Region, Step, View};
use crate::ops::{Activation, Conv2d, Dense, LocalConv2d, Op, window};

/// How filters `[c_out, ..k]` lie on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Packing {
    /// `[k, c_out]`, channels padded to a multiple of four: a row holds every filter's weight of one input.
    Columns,
    /// `[c_out, k]`, k padded to a multiple of eight: what matrix units read.
    Rows,
}

/// How input `i` of an op is packed if it is a parameter of this shape; `None` leaves it as it is.
pub(crate) fn packing(op: &Op, i: usize, shape: &Shape, tuning: Tuning) -> Option<Packing> {
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

fn flags(bias: bool, activation: Activation, residual: bool) -> u32 {
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
        let params = params::Conv2d {
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
        Ok(Call { shared: tile.shared(), ..call(tile.entry, params, operands, groups) })
    }
}

pub fn conv2d(op: &Conv2d, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [_, h, w, _] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let [c_out, k_h, k_w, _] = step.inputs[1].shape.nhwc().ok_or("w is not [c_out, k_h, k_w, c_in]")?;
    let [ay, ax] = window::axes([h, w], [k_h, k_w], op.stride, op.padding)?;
    let [bias, alpha, residual] = op.optional_inputs();
    let windows = Windows {
        x: step.inputs[0].clone(),
        c_out,
        kernel: [k_h, k_w],
        stride: op.stride,
        before: [ay.before as isize, ax.before as isize],
        out: [ay.out, ax.out],
    };
    let rest = Rest {
        flags: flags(op.bias, op.activation, residual.is_some()),
        scale: op.residual_scale.unwrap_or(1.0),
        given: [
            Operand::constant(step, bias),
            Operand::constant(step, alpha),
            residual.map_or(Operand::NoValue, |i| Operand::View(step.inputs[i].clone())),
        ],
        y: (Operand::View(step.output.clone()), step.output.offset, step.output.stride),
    };
    let tile = windows.tile(tuning);
    let (pack, filters) = Filters::forward(&step.inputs[1], tile.packing, tuning)?;
    Ok(pack.into_iter().chain([windows.call(tile, filters, rest, tuning)?]).collect())
}

pub fn dense(op: &Dense, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let &[rows, c_out] = step.output.shape.dims() else { return Err("y is not [n, c_out]".into()) };
    let k = step.inputs[1].shape.last();
    let [bias, alpha] = op.optional_inputs();
    let flags = flags(op.bias, op.activation, false);
    let (b, alpha) = (Operand::constant(step, bias), Operand::constant(step, alpha));
    let y = Operand::View(step.output.clone());
    if tuning.matrix_units() {
        let windows = Windows::of_pixels(&step.inputs[0], rows, k, c_out);
        let tile = windows.tile(tuning);
        let (pack, filters) = Filters::forward(&step.inputs[1], tile.packing, tuning)?;
        let y = (y, step.output.offset, step.output.stride);
        let rest = Rest { flags, scale: 1.0, given: [b, alpha, Operand::NoValue], y };
        return Ok(pack.into_iter().chain([windows.call(tile, filters, rest, tuning)?]).collect());
    }
    let (pack, filters) = Filters::forward(&step.inputs[1], Packing::Columns, tuning)?;
    let params = params::Dense { rows: rows as u32, k: k as u32, c_out: c_out as u32, columns: filters.pitch, flags };
    let groups = if tuning.cuda() {
        [c_out.div_ceil(64) as u32, rows.div_ceil(16) as u32, 1]
    } else {
        let [y, z] = tuning.fold(rows.div_ceil(4))?;
        [c_out.div_ceil(4 * 32) as u32, y, z]
    };
    let operands = vec![Operand::View(step.inputs[0].clone()), filters.operand, b, alpha, y];
    Ok(pack.into_iter().chain([call("dense_fwd", params, operands, groups)]).collect())
}

impl Windows {
    /// A dense layer as a convolution of images of one pixel.
    pub fn of_pixels(x: &View, rows: usize, k: usize, c_out: usize) -> Windows {
        let x = View { shape: Shape::from([rows, 1, 1, k]), stride: k, ..x.clone() };
        Windows { x, c_out, kernel: [1; 2], stride: [1; 2], before: [0; 2], out: [1; 2] }
    }
}

/// Filters as a kernel takes them.
pub(super) struct Filters {
    /// Where they lie.
    pub operand: Operand,
    /// Their rows' length: of columns in vectors of four, of rows in values.
    pub pitch: u32,
}

/// The taps of `w: [c_out, k_h, k_w, c_in]` that the gradient of a convolution's input takes, in their reverse order.
#[derive(Clone, Copy)]
pub(super) struct Taps {
    /// How many, along each axis.
    pub count: [usize; 2],
    /// The last, which comes first.
    pub last: [usize; 2],
    /// Steps between them.
    pub step: [usize; 2],
}

impl Filters {
    /// Filters as they are, where they are computed or trained with the call that packs them.
    pub fn forward(w: &View, packing: Packing, tuning: Tuning) -> Result<(Option<Call>, Filters), String> {
        let c_out = w.shape.dims()[0];
        let k = w.shape.elements() / c_out.max(1);
        if let Region::Param(id) = w.region {
            let operand = Operand::Packed(id, packing);
            return Ok((None, Filters { operand, pitch: Filters::pitch(packing, k, c_out) }));
        }
        let (pack, filters) = Filters::packed(w, packing, [k, c_out], None, tuning)?;
        Ok((Some(pack), filters))
    }

    /// Filters for the gradient of the input: channels exchanged, taps reversed.
    pub fn backward(w: &View, packing: Packing, taps: Taps, tuning: Tuning) -> Result<(Call, Filters), String> {
        let k = taps.count[0] * taps.count[1] * w.shape.dims()[0];
        Filters::packed(w, packing, [k, w.shape.last()], Some(taps), tuning)
    }

    fn pitch(packing: Packing, k: usize, outputs: usize) -> u32 {
        match packing {
            Packing::Columns => outputs.div_ceil(4) as u32,
            Packing::Rows => k.next_multiple_of(8) as u32,
        }
    }

    fn packed(
        w: &View,
        packing: Packing,
        [k, outputs]: [usize; 2],
        taps: Option<Taps>,
        tuning: Tuning,
    ) -> Result<(Call, Filters), String> {
        let of = w.shape.dims();
        let [c_out, k_h, k_w, c_in] = w.shape.nhwc().unwrap_or([of[0], 1, 1, k]);
        let [c_out, c_in] = if taps.is_some() && of.len() == 2 { [of[0], of[1]] } else { [c_out, c_in] };
        let pitch = Filters::pitch(packing, k, outputs);
        let (rows, row) = match packing {
            Packing::Columns => (k, 4 * pitch as usize),
            Packing::Rows => (outputs, pitch as usize),
        };
        let Taps { count, last, step } = taps.unwrap_or(Taps { count: [0; 2], last: [0; 2], step: [0; 2] });
        let params = params::Pack {
            elements: (rows * row) as u32,
            pitch: row as u32,
            c_out: c_out as u32,
            k_h: k_h as u32,
            k_w: k_w as u32,
            c_in: c_in as u32,
            taps_y: count[0] as u32,
            taps_x: count[1] as u32,
            last_y: last[0] as u32,
            last_x: last[1] as u32,
            step_y: step[0] as u32,
            step_x: step[1] as u32,
            backward: u32::from(taps.is_some()),
        };
        let entry = match (packing, w.exact && tuning.cuda()) {
            (Packing::Columns, false) => "pack",
            (Packing::Columns, true) => "pack_exact",
            (Packing::Rows, false) => "pack_mma",
            (Packing::Rows, true) => "pack_mma_exact",
        };
        let operand = Operand::Scratch(rows * row);
        let pack = call(entry, params, vec![Operand::View(w.clone()), operand.clone()], tuning.threads(rows * row)?);
        Ok((pack, Filters { operand, pitch }))
    }
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
