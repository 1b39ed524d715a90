//! Convolutions and dense layers: the tile is chosen by the device's type and the filters' extents, never by the batch.

use super::params::{self, Params};
use super::{Call, Operand, Tuning, call};
use crate::graph::{Region, Step};
use crate::ops::{Activation, Conv2d, Dense, LocalConv2d, window};

/// How much a workgroup computes.
struct Tile {
    entry: &'static str,
    /// Output pixels.
    rows: usize,
    /// Output channels.
    columns: usize,
}

/// Few channels: the filters are the same for all threads. Everywhere.
const NARROW: Tile = Tile { entry: "conv2d_fwd_narrow", rows: 128, columns: 16 };
/// Real GPUs: workgroup memory feeds 256 threads.
const SHARED: Tile = Tile { entry: "conv2d_fwd_tile", rows: 64, columns: 64 };
/// Software: eight threads are the lanes of a vector; workgroup memory would only be copied through.
const WIDE: Tile = Tile { entry: "conv2d_fwd_register", rows: 8, columns: 64 };
/// As [`WIDE`], where half of its channels would be wasted.
const HALF: Tile = Tile { entry: "conv2d_fwd_register4", rows: 8, columns: 32 };

impl Tile {
    fn choose(c_out: usize, tuning: Tuning) -> Tile {
        match c_out {
            ..=16 => NARROW,
            _ if !tuning.software => SHARED,
            _ if (1..=32).contains(&(c_out % 64)) => HALF,
            _ => WIDE,
        }
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
    let inside = |axis: window::Axis, kernel: usize, stride: usize, extent: usize| {
        axis.before == 0 && (axis.out - 1) * stride + kernel <= extent
    };
    // Without padding the taps of a kernel row follow each other in the input, and count as one.
    let unpadded = inside(ay, k_h, op.stride[0], h) && inside(ax, k_w, op.stride[1], w);
    let (taps_x, run) = if unpadded { (1, k_w * c_in) } else { (k_w, c_in) };
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
        columns: c_out.div_ceil(4) as u32,
        y_offset: (step.output.offset % 64) as u32,
        y_stride: step.output.stride as u32,
        flags: flags(op.bias, op.activation, residual.is_some()),
        scale: op.residual_scale.unwrap_or(1.0),
    };
    let tile = Tile::choose(c_out, tuning);
    let [x, z] = tuning.fold(pixels.div_ceil(tile.rows))?;
    let groups = [x, c_out.div_ceil(tile.columns) as u32, z];
    let (pack, filters) = filters(step, k_h * k_w * c_in, tuning)?;
    let operands = vec![
        Operand::View(step.inputs[0].clone()),
        filters,
        Operand::constant(step, bias),
        Operand::constant(step, alpha),
        residual.map_or(Operand::NoValue, |i| Operand::View(step.inputs[i].clone())),
        Operand::View(step.output.clone()),
    ];
    Ok(pack.into_iter().chain([call(tile.entry, params, operands, groups)]).collect())
}

pub fn dense(op: &Dense, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let &[rows, c_out] = step.output.shape.dims() else { return Err("y is not [n, c_out]".into()) };
    let k = step.inputs[1].shape.last();
    let [bias, alpha] = op.optional_inputs();
    let params = params::Dense {
        rows: rows as u32,
        k: k as u32,
        c_out: c_out as u32,
        columns: c_out.div_ceil(4) as u32,
        flags: flags(op.bias, op.activation, false),
    };
    let [y, z] = tuning.fold(rows.div_ceil(4))?;
    let groups = [c_out.div_ceil(4 * 32) as u32, y, z];
    let (pack, filters) = filters(step, k, tuning)?;
    let operands = vec![
        Operand::View(step.inputs[0].clone()),
        filters,
        Operand::constant(step, bias),
        Operand::constant(step, alpha),
        Operand::View(step.output.clone()),
    ];
    Ok(pack.into_iter().chain([call("dense_fwd", params, operands, groups)]).collect())
}

/// The filters, packed; where they are computed, with the call that packs them.
fn filters(step: &Step, k: usize, tuning: Tuning) -> Result<(Option<Call>, Operand), String> {
    let w = &step.inputs[1];
    if let Region::Param(id) = w.region {
        return Ok((None, Operand::Packed(id)));
    }
    let c_out = w.shape.dims()[0];
    let columns = c_out.next_multiple_of(4);
    let packed = Operand::Scratch(k * columns);
    let params = params::Pack { k: k as u32, c_out: c_out as u32, columns: columns as u32 };
    let operands = vec![Operand::View(w.clone()), packed.clone()];
    let pack = call(params::Pack::STEM, params, operands, tuning.threads(k * columns)?);
    Ok((Some(pack), packed))
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
    Ok(vec![call("local_conv2d_fwd", params, super::operands(step), tuning.threads(outputs)?)])
}
