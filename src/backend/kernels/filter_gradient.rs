//! What the gradients of filters share, of convolutions and of dense layers: tiles, chunks, both stages.

use super::convolution::{engine_channels, warpgroup_columns, warpgroup_shared};
use super::dialect::{Dialect, MatrixUnits};
use super::{Call, Calls, Lower, Operand, PixelMap, Tuning, call, fields};
use crate::graph::Step;
use crate::ops::{Padding, window};

fields! {
    Gradient {
        h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_w: u32, stride_y: u32, stride_x: u32,
        pad_y: u32, pad_x: u32, k: u32, pixels: u32, chunk: u32, chunks: u32,
    }
}

/// How much of dw a workgroup computes.
#[derive(Clone, Copy)]
pub(super) struct FilterTile {
    entry: &'static str,
    /// Output channels.
    rows: usize,
    /// Elements of a filter.
    columns: usize,
    /// Pixels of a piece, of which chunks are multiples.
    depth: usize,
    /// Channels of a tap that the copy engine brings at once; 0 where threads bring them.
    pub engine: usize,
    /// Workgroups that occupy a device.
    groups: usize,
}

/// A stem's tiles: without matrix units, then with them.
pub(super) type Tiles = [FilterTile; 4];

const fn tiles(entries: [&'static str; 4]) -> Tiles {
    const fn tile(entry: &'static str, rows: usize, columns: usize) -> FilterTile {
        FilterTile { entry, rows, columns, depth: 32, engine: 0, groups: 512 }
    }
    [tile(entries[0], 64, 64), tile(entries[1], 128, 128), tile(entries[2], 64, 128), tile(entries[3], 32, 128)]
}

pub(super) const CONV2D: Tiles = tiles([
    "conv2d_bwd_filter_tile",
    "conv2d_bwd_filter_mma_m128",
    "conv2d_bwd_filter_mma_m64",
    "conv2d_bwd_filter_mma_m32",
]);

pub(super) const DENSE: Tiles = tiles([
    "dense_bwd_filter_tile",
    "dense_bwd_filter_mma_m128",
    "dense_bwd_filter_mma_m64",
    "dense_bwd_filter_mma_m32",
]);

impl FilterTile {
    pub fn choose(of: &Tiles, c_out: usize, c_in: usize, tuning: Tuning) -> FilterTile {
        if !tuning.matrix_units() {
            return of[0];
        }
        // The copy engine moves 16 bytes at least.
        let engine = c_in.is_multiple_of(8) && c_out.is_multiple_of(8);
        if engine && tuning.dialect == Dialect::Cuda(MatrixUnits::Wgmma) {
            return FilterTile::wgmma(c_out, c_in);
        }
        // Lower blocks bring more for each product: a tenth more work is better than half the height.
        let work = |tile: &&FilterTile| {
            c_out.div_ceil(tile.rows) * tile.rows * if tile.rows == 128 { 10 } else { 11 + (64 - tile.rows) / 16 }
        };
        *of[1..].iter().min_by_key(work).expect("three")
    }

    /// Of every stem: a dense layer is a convolution of one pixel.
    fn wgmma(c_out: usize, c_in: usize) -> FilterTile {
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
        FilterTile { entry, rows: n, columns: 128, depth: 64, engine, groups }
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
    fn factors(&self, of: &Gradient, step: &Step) -> Result<[Operand; 2], String> {
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

pub(super) fn filter_params(
    tile: FilterTile,
    [n, h, w, c_in]: [usize; 4],
    [c_out, k_h, k_w, _]: [usize; 4],
    stride: [usize; 2],
    padding: Padding,
) -> Result<Gradient, String> {
    let [ay, ax] = window::axes([h, w], [k_h, k_w], stride, padding)?;
    let (k, pixels) = (k_h * k_w * c_in, n * ay.out * ax.out);
    // By the extents alone, for the cut decides the sums' bits.
    let tiles = c_out.div_ceil(tile.rows) * tile.across(k, c_in);
    let wanted = (tile.groups / tiles).clamp(1, pixels.div_ceil(PIXELS).max(1));
    let chunk = pixels.div_ceil(wanted).next_multiple_of(tile.depth).max(tile.depth);
    Ok(Gradient {
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
pub(super) fn filter_calls<L: Lower<Params = Gradient>>(
    merge: &'static str,
    tile: FilterTile,
    params: Gradient,
    step: &Step,
    tuning: Tuning,
) -> Calls {
    let (c_out, k) = (params.c_out as usize, params.k as usize);
    let [x, dy] = tile.factors(&params, step)?;
    let sums = |to: Operand| {
        let across = tile.across(k, params.c_in as usize);
        let groups = [across as u32, c_out.div_ceil(tile.rows) as u32, params.chunks];
        let operands = vec![x, dy, to, Operand::NoValue];
        Call { shared: tile.shared(), ..call::<L>(tile.entry, params, operands, groups) }
    };
    let dw = Operand::View(step.output.clone());
    if params.chunks == 1 {
        return Ok(vec![sums(dw)]);
    }
    let partial = Operand::Scratch(params.chunks as usize * c_out * k);
    let inputs = step.inputs[..2].iter().cloned().map(Operand::View);
    let operands = inputs.chain([partial.clone(), dw]).collect();
    Ok(vec![sums(partial), call::<L>(merge, params, operands, tuning.threads(c_out * k)?)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(c_out: usize, c_in: usize, units: MatrixUnits) -> FilterTile {
        FilterTile::choose(&CONV2D, c_out, c_in, Tuning { dialect: Dialect::Cuda(units), max_groups: u32::MAX })
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
