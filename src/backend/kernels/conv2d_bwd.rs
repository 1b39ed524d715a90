//! Gradients of convolutions and dense layers.

use super::conv2d::{Filters, Rest, Taps, Windows, engine_channels, warpgroup_columns, warpgroup_shared};
use super::dialect::{Dialect, MatrixUnits};
use super::params::{self, Params};
use super::{Call, Operand, PixelMap, Tuning, call};
use crate::graph::Step;
use crate::ops::{Conv2dBwdData, Conv2dBwdFilter, LocalConv2dBwdData, LocalConv2dBwdFilter, Padding, window};

/// Pixels of an axis whose place in the padded image leaves the same remainder by the stride: the taps that meet them,
/// which are a plain convolution of dy.
#[derive(Clone, Copy)]
struct Phase {
    /// Taps, and the last of them.
    taps: usize,
    last: usize,
    /// How far the first window begins before dy.
    before: isize,
    /// Pixels.
    out: usize,
}

impl Phase {
    /// The phase of this remainder, of an axis of `extent` pixels with `before` of padding.
    fn new(remainder: usize, extent: usize, kernel: usize, stride: usize, before: usize) -> Phase {
        // The first pixel, and the place of the window that its first tap is of.
        let first = (remainder + stride - before % stride) % stride;
        let window = (first + before) / stride;
        let taps = kernel.saturating_sub(remainder).div_ceil(stride);
        Phase {
            taps,
            last: remainder + stride * taps.saturating_sub(1),
            before: taps as isize - 1 - window as isize,
            out: extent.saturating_sub(first).div_ceil(stride),
        }
    }
}

pub fn conv2d_data(op: &Conv2dBwdData, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let (dy, w) = (&step.inputs[0], &step.inputs[1]);
    let [n, h, width, c_in] = step.output.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let [c_out, k_h, k_w, _] = w.shape.nhwc().ok_or("w is not [c_out, k_h, k_w, c_in]")?;
    let [ay, ax] = window::axes([h, width], [k_h, k_w], op.stride, op.padding)?;
    let one = |y: Phase, x: Phase| {
        let (kernel, out, before) = ([y.taps, x.taps], [y.out, x.out], [y.before, x.before]);
        let taps = Taps { count: kernel, last: [y.last, x.last], step: op.stride };
        (Windows { x: dy.clone(), c_out: c_in, kernel, stride: [1, 1], before, out }, taps)
    };
    let phase_y = |remainder| Phase::new(remainder, h, k_h, op.stride[0], ay.before);
    let phase_x = |remainder| Phase::new(remainder, width, k_w, op.stride[1], ax.before);
    if op.stride == [1, 1] {
        let (windows, taps) = one(phase_y(0), phase_x(0));
        let tile = windows.tile(tuning);
        let (pack, filters) = Filters::backward(w, tile.packing, taps, tuning)?;
        let rest = Rest { y: (dx(step), step.output.offset, step.output.stride), ..Rest::plain(dx(step), c_in) };
        return Ok(vec![pack, windows.call(tile, filters, rest, tuning)?]);
    }
    // Every phase's filters take the same scratch memory; the phases follow them.
    let words = (k_h * k_w * c_out.next_multiple_of(8) * c_in.next_multiple_of(8)).next_multiple_of(64);
    let (mut calls, mut table, mut values) = (Vec::new(), Vec::new(), 0);
    for y in (0..op.stride[0]).map(phase_y) {
        for x in (0..op.stride[1]).map(phase_x) {
            let elements = n * y.out * x.out * c_in;
            let empty = y.taps * x.taps * elements == 0;
            table.extend([if empty { u32::MAX } else { values as u32 }, y.out as u32, x.out as u32]);
            if empty {
                continue;
            }
            let (windows, taps) = one(y, x);
            let tile = windows.tile(tuning);
            let (pack, filters) = Filters::backward(w, tile.packing, taps, tuning)?;
            let rest = Rest::plain(Operand::Further { words, values, elements }, c_in);
            calls.extend([pack, windows.call(tile, filters, rest, tuning)?]);
            values += elements.next_multiple_of(64);
        }
    }
    let params = params::Conv2dBwdData {
        elements: step.output.shape.elements() as u32,
        h: h as u32,
        w: width as u32,
        c: c_in as u32,
        stride_y: op.stride[0] as u32,
        stride_x: op.stride[1] as u32,
        pad_y: ay.before as u32,
        pad_x: ax.before as u32,
    };
    let phases = Operand::Further { words, values: 0, elements: values };
    let operands = vec![phases, Operand::Table(table), dx(step)];
    calls.push(call("conv2d_bwd_data", params, operands, tuning.threads(step.output.shape.elements())?));
    Ok(calls)
}

fn dx(step: &Step) -> Operand {
    Operand::View(step.output.clone())
}

pub fn dense_data(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let &[c_out, k] = step.inputs[1].shape.dims() else { return Err("w is not [c_out, k]".into()) };
    let (dy, w) = (&step.inputs[0], &step.inputs[1]);
    let rows = dy.shape.dims()[0];
    if tuning.matrix_units() {
        let windows = Windows::of_pixels(dy, rows, c_out, k);
        let tile = windows.tile(tuning);
        let taps = Taps { count: [1; 2], last: [0; 2], step: [1; 2] };
        let (pack, filters) = Filters::backward(w, tile.packing, taps, tuning)?;
        let rest = Rest { y: (dx(step), step.output.offset, k), ..Rest::plain(dx(step), k) };
        return Ok(vec![pack, windows.call(tile, filters, rest, tuning)?]);
    }
    let params = params::DenseBwdData { rows: rows as u32, k: k as u32, c_out: c_out as u32 };
    let [y, z] = tuning.fold(rows.div_ceil(4))?;
    let (entry, threads) = match (tuning.cuda(), w.exact) {
        (true, true) => ("dense_bwd_data_exact", 256),
        (true, false) => ("dense_bwd_data", 256),
        (false, _) => ("dense_bwd_data", 64),
    };
    let operands = vec![Operand::View(dy.clone()), Operand::View(w.clone()), dx(step)];
    Ok(vec![call(entry, params, operands, [k.div_ceil(threads) as u32, y, z])])
}

pub fn conv2d_filter(op: &Conv2dBwdFilter, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let image = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let filters = step.output.shape.nhwc().ok_or("w is not [c_out, k_h, k_w, c_in]")?;
    let tile = Tile::choose(&CONV2D, filters[0], filters[3], tuning);
    let params = filter_params(tile, image, filters, op.stride, op.padding)?;
    filter_calls("conv2d_bwd_filter_merge", tile, params, &params, step, tuning)
}

pub fn dense_filter(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let &[c_out, k] = step.output.shape.dims() else { return Err("w is not [c_out, k]".into()) };
    let rows = step.inputs[1].shape.dims()[0];
    let tile = Tile::choose(&DENSE, c_out, k, tuning);
    let conv2d = filter_params(tile, [rows, 1, 1, k], [c_out, 1, 1, k], [1, 1], Padding::Valid)?;
    if tile.engine != 0 {
        return filter_calls("conv2d_bwd_filter_merge", tile, conv2d, &conv2d, step, tuning);
    }
    // The same fields for another shader.
    let params: params::DenseBwdFilter = bytemuck::cast(conv2d);
    filter_calls("dense_bwd_filter_merge", tile, params, &conv2d, step, tuning)
}

/// How much of dw a workgroup computes.
#[derive(Clone, Copy)]
struct Tile {
    entry: &'static str,
    /// Output channels.
    rows: usize,
    /// Elements of a filter.
    columns: usize,
    /// Pixels of a piece, of which chunks are multiples.
    depth: usize,
    /// Channels of a tap that the copy engine brings at once; 0 where threads bring them.
    engine: usize,
    /// Workgroups that occupy a device.
    groups: usize,
}

/// A stem's tiles: without matrix units, then with them.
type Tiles = [Tile; 4];

const fn tiles(entries: [&'static str; 4]) -> Tiles {
    const fn tile(entry: &'static str, rows: usize, columns: usize) -> Tile {
        Tile { entry, rows, columns, depth: 32, engine: 0, groups: 512 }
    }
    [tile(entries[0], 64, 64), tile(entries[1], 128, 128), tile(entries[2], 64, 128), tile(entries[3], 32, 128)]
}

const CONV2D: Tiles = tiles([
    "conv2d_bwd_filter_tile",
    "conv2d_bwd_filter_mma_m128",
    "conv2d_bwd_filter_mma_m64",
    "conv2d_bwd_filter_mma_m32",
]);

const DENSE: Tiles = tiles([
    "dense_bwd_filter_tile",
    "dense_bwd_filter_mma_m128",
    "dense_bwd_filter_mma_m64",
    "dense_bwd_filter_mma_m32",
]);

impl Tile {
    fn choose(of: &Tiles, c_out: usize, c_in: usize, tuning: Tuning) -> Tile {
        if !tuning.matrix_units() {
            return of[0];
        }
        // The copy engine moves 16 bytes at least.
        let engine = c_in.is_multiple_of(8) && c_out.is_multiple_of(8);
        if engine && tuning.dialect == Dialect::Cuda(MatrixUnits::Wgmma) {
            return Tile::wgmma(c_out, c_in);
        }
        // Lower blocks bring more for each product: a tenth more work is better than half the height.
        let work = |tile: &&Tile| {
            c_out.div_ceil(tile.rows) * tile.rows * if tile.rows == 128 { 10 } else { 11 + (64 - tile.rows) / 16 }
        };
        *of[1..].iter().min_by_key(work).expect("three")
    }

    /// Of every stem: a dense layer is a convolution of one pixel.
    fn wgmma(c_out: usize, c_in: usize) -> Tile {
        let (n, engine) = (warpgroup_columns(c_out), engine_channels(c_in));
        let entry = match (n, engine) {
            (32, 64) => "sm90_conv2d_bwd_filter_wgmma_n32c64",
            (32, _) => "sm90_conv2d_bwd_filter_wgmma_n32c32",
            (64, 64) => "sm90_conv2d_bwd_filter_wgmma_n64c64",
            (64, _) => "sm90_conv2d_bwd_filter_wgmma_n64c32",
            (96, 64) => "sm90_conv2d_bwd_filter_wgmma_n96c64",
            (96, _) => "sm90_conv2d_bwd_filter_wgmma_n96c32",
            (_, 64) => "sm90_conv2d_bwd_filter_wgmma_n128c64",
            _ => "sm90_conv2d_bwd_filter_wgmma_n128c32",
        };
        // Hopper's multiprocessors, each with one workgroup or two: what is one wave leaves the fewest sums to add.
        let groups = 132 * if n == 128 { 1 } else { 2 };
        Tile { entry, rows: n, columns: 128, depth: 64, engine, groups }
    }

    /// Workgroups along a filter's k elements. What the copy engine brings at once is of one tap.
    fn across(&self, k: usize, c_in: usize) -> usize {
        let k = if self.engine == 0 { k } else { k / c_in * c_in.next_multiple_of(self.engine) };
        k.div_ceil(self.columns)
    }

    /// Bytes of dynamic shared memory.
    fn shared(&self) -> u32 {
        if self.engine == 0 { 0 } else { warpgroup_shared(self.rows, self.depth) }
    }

    /// x and dy as its kernel takes them.
    fn factors(&self, of: &params::Conv2dBwdFilter, step: &Step) -> Result<[Operand; 2], String> {
        let [mut x, dy] = [0, 1].map(|i| step.inputs[i].clone());
        if self.engine == 0 {
            return Ok([Operand::View(x), Operand::View(dy)]);
        }
        let axes = |[y, x]: [u32; 2]| [y as usize, x as usize];
        let [h, w] = axes([of.h, of.w]);
        let out = axes([of.h_out, of.w_out]);
        // No map is empty; of no pixels nothing is brought.
        let (pixels, c_in, c_out) = (of.pixels.max(1) as usize, of.c_in as usize, of.c_out as usize);
        x.shape = [pixels.div_ceil(out[0] * out[1]), h, w, c_in].into();
        let before = [of.pad_y as isize, of.pad_x as isize];
        let walk = PixelMap::new(x, axes([of.stride_y, of.stride_x]), before, out, self.engine, self.depth)?;
        // Rows of 64 or 32 outputs, as `AcrossK` of kernels/wgmma.cuh has them.
        let window = [if self.rows.is_multiple_of(64) { 64 } else { 32 }, self.depth];
        let dy = Operand::Matrix { of: Box::new(Operand::View(dy)), extents: [c_out, pixels], window };
        Ok([Operand::Pixels(Box::new(walk)), dy])
    }
}

/// Pixels that are worth a workgroup's start and the sums that it leaves.
const PIXELS: usize = 256;

fn filter_params(
    tile: Tile,
    [n, h, w, c_in]: [usize; 4],
    [c_out, k_h, k_w, _]: [usize; 4],
    stride: [usize; 2],
    padding: Padding,
) -> Result<params::Conv2dBwdFilter, String> {
    let [ay, ax] = window::axes([h, w], [k_h, k_w], stride, padding)?;
    let (k, pixels) = (k_h * k_w * c_in, n * ay.out * ax.out);
    // By the extents alone, for the cut decides the sums' bits.
    let tiles = c_out.div_ceil(tile.rows) * tile.across(k, c_in);
    let wanted = (tile.groups / tiles).clamp(1, pixels.div_ceil(PIXELS).max(1));
    let chunk = pixels.div_ceil(wanted).next_multiple_of(tile.depth).max(tile.depth);
    Ok(params::Conv2dBwdFilter {
        h: h as u32,
        w: w as u32,
        c_in: c_in as u32,
        h_out: ay.out as u32,
        w_out: ax.out as u32,
        c_out: c_out as u32,
        k_w: k_w as u32,
        stride_y: stride[0] as u32,
        stride_x: stride[1] as u32,
        pad_y: ay.before as u32,
        pad_x: ax.before as u32,
        k: k as u32,
        pixels: pixels as u32,
        chunk: chunk as u32,
        chunks: pixels.div_ceil(chunk).max(1) as u32,
    })
}

/// Both stages; of a single chunk the first alone, which writes dw itself.
fn filter_calls<P: Params>(
    merge: &'static str,
    tile: Tile,
    params: P,
    extents: &params::Conv2dBwdFilter,
    step: &Step,
    tuning: Tuning,
) -> Result<Vec<Call>, String> {
    let (c_out, k) = (extents.c_out as usize, extents.k as usize);
    let [x, dy] = tile.factors(extents, step)?;
    let sums = |to: Operand| {
        let across = tile.across(k, extents.c_in as usize);
        let groups = [across as u32, c_out.div_ceil(tile.rows) as u32, extents.chunks];
        let operands = vec![x, dy, to, Operand::NoValue];
        Call { shared: tile.shared(), ..call(tile.entry, params, operands, groups) }
    };
    let dw = Operand::View(step.output.clone());
    if extents.chunks == 1 {
        return Ok(vec![sums(dw)]);
    }
    let partial = Operand::Scratch(extents.chunks as usize * c_out * k);
    let inputs = step.inputs[..2].iter().cloned().map(Operand::View);
    let operands = inputs.chain([partial.clone(), dw]).collect();
    Ok(vec![sums(partial), call(merge, params, operands, tuning.threads(c_out * k)?)])
}

pub fn local_conv2d_data(op: &LocalConv2dBwdData, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [n, h, w, c_in] = step.output.shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let &[h_out, w_out, c_out, k_h, k_w, _] = step.inputs[1].shape.dims() else {
        return Err("w is not [h_out, w_out, c_out, k_h, k_w, c_in]".into());
    };
    let threads = n.div_ceil(4) * h * w * c_in;
    let [n, h, w, c_in, h_out, w_out, c_out, k_h, k_w] =
        [n, h, w, c_in, h_out, w_out, c_out, k_h, k_w].map(|extent| extent as u32);
    let [stride_y, stride_x] = op.stride.map(|stride| stride as u32);
    let params = params::LocalConv2dBwdData { n, h, w, c_in, h_out, w_out, c_out, k_h, k_w, stride_y, stride_x };
    let operands = vec![Operand::View(step.inputs[0].clone()), Operand::View(step.inputs[1].clone()), dx(step)];
    Ok(vec![call("local_conv2d_bwd_data", params, operands, tuning.threads(threads)?)])
}

pub fn local_conv2d_filter(op: &LocalConv2dBwdFilter, step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let [n, h, w, c_in] = step.inputs[0].shape.nhwc().ok_or("x is not [n, h, w, c]")?;
    let &[h_out, w_out, c_out, k_h, k_w, _] = step.output.shape.dims() else {
        return Err("w is not [h_out, w_out, c_out, k_h, k_w, c_in]".into());
    };
    let threads = h_out * w_out * c_out.div_ceil(4) * k_h * k_w * c_in;
    let [n, h, w, c_in, h_out, w_out, c_out, k_h, k_w] =
        [n, h, w, c_in, h_out, w_out, c_out, k_h, k_w].map(|extent| extent as u32);
    let [stride_y, stride_x] = op.stride.map(|stride| stride as u32);
    let params = params::LocalConv2dBwdFilter {
        n,
        h,
        w,
        c_in,
        h_out,
        w_out,
        c_out,
        k_h,
        k_w,
        stride_y,
        stride_x,
        threads: threads as u32,
    };
    let operands = vec![
        Operand::View(step.inputs[0].clone()),
        Operand::View(step.inputs[1].clone()),
        Operand::View(step.output.clone()),
    ];
    Ok(vec![call("local_conv2d_bwd_filter", params, operands, tuning.threads(threads)?)])
}

pub fn local_conv2d_bias(step: &Step, tuning: Tuning) -> Result<Vec<Call>, String> {
    let elements = step.output.shape.elements();
    let params = params::LocalConv2dBwdBias { n: step.inputs[0].shape.dims()[0] as u32, elements: elements as u32 };
    let operands = vec![Operand::View(step.inputs[0].clone()), Operand::View(step.output.clone())];
    Ok(vec![call("local_conv2d_bwd_bias", params, operands, tuning.threads(elements)?)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(c_out: usize, c_in: usize, units: MatrixUnits) -> Tile {
        Tile::choose(&CONV2D, c_out, c_in, Tuning { dialect: Dialect::Cuda(units), max_groups: u32::MAX })
    }

    /// Inception-ResNet-v1's convolutions among them.
    #[test]
    fn warpgroups_make_what_the_copy_engine_can_bring() {
        for (c_out, c_in, entry) in [
            (32, 32, "sm90_conv2d_bwd_filter_wgmma_n32c32"),
            (32, 256, "sm90_conv2d_bwd_filter_wgmma_n32c64"),
            (64, 32, "sm90_conv2d_bwd_filter_wgmma_n64c32"),
            (80, 64, "sm90_conv2d_bwd_filter_wgmma_n96c64"),
            (192, 80, "sm90_conv2d_bwd_filter_wgmma_n96c32"),
            (256, 96, "sm90_conv2d_bwd_filter_wgmma_n128c32"),
            (256, 192, "sm90_conv2d_bwd_filter_wgmma_n128c64"),
            (192, 1792, "sm90_conv2d_bwd_filter_wgmma_n96c64"),
            (1792, 384, "sm90_conv2d_bwd_filter_wgmma_n128c64"),
            // Not sixteen bytes of a pixel.
            (32, 3, "conv2d_bwd_filter_mma_m32"),
            (10, 128, "conv2d_bwd_filter_mma_m32"),
        ] {
            let tile = tile(c_out, c_in, MatrixUnits::Wgmma);
            assert_eq!(tile.entry, entry, "{c_in} to {c_out}");
            assert_eq!(tile.shared() > 0, entry.starts_with("sm90"), "{entry}");
            assert!(tile.shared() <= 227 * 1024, "{entry}");
        }
        assert_eq!(tile(32, 32, MatrixUnits::Mma).entry, "conv2d_bwd_filter_mma_m32");
        assert_eq!(tile(32, 32, MatrixUnits::Fma).entry, "conv2d_bwd_filter_tile");
    }

    #[test]
    fn a_box_is_of_one_tap() {
        // Nine taps of two boxes, four boxes a block.
        assert_eq!(tile(32, 40, MatrixUnits::Wgmma).across(9 * 40, 40), 5);
        assert_eq!(tile(32, 40, MatrixUnits::Mma).across(9 * 40, 40), 3);
        assert_eq!(tile(32, 192, MatrixUnits::Wgmma).across(3 * 192, 192), 5);
    }

    #[test]
    fn chunks_are_whole_pieces_and_one_wave() {
        for (image, filters) in [
            ([90, 79, 79, 32], [32, 3, 3, 32]),
            ([90, 17, 17, 128], [128, 1, 7, 128]),
            ([3, 8, 8, 1792], [192, 1, 1, 1792]),
            ([1, 3, 3, 192], [192, 1, 3, 192]),
        ] {
            let tile = tile(filters[0], filters[3], MatrixUnits::Wgmma);
            let of = filter_params(tile, image, filters, [1, 1], Padding::Same).unwrap();
            assert_eq!(of.chunk as usize % tile.depth, 0);
            assert!(of.chunk * of.chunks >= of.pixels && of.chunk * (of.chunks - 1) < of.pixels, "{image:?}");
            let blocks = tile.across(of.k as usize, filters[3]) * filters[0].div_ceil(tile.rows) * of.chunks as usize;
            assert!(of.chunks == 1 || blocks <= tile.groups, "{image:?}: {blocks} blocks");
        }
    }
}
