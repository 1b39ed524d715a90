//! What the gradients of filters share, of convolutions and of dense layers: tiles, partial sums, both passes.

use super::convolution::{tma_channels, warpgroup_columns};
use super::dialect::{Dialect, TensorCores};
use super::kernel::{Kernel, MMA_WIDTHS, ROWS};
use super::{Calls, Lower, Operand, PixelMap, Tuning, call, call_on, fields};
use crate::graph::Step;
use crate::ops::{Padding, window};

fields! {
    Gradient {
        h: u32, w: u32, c_in: u32, h_out: u32, w_out: u32, c_out: u32, k_w: u32, stride_y: u32, stride_x: u32,
        pad_y: u32, pad_x: u32, k: u32, pixels: u32, chunk: u32, chunks: u32,
    }
}

/// A kernel of filters' gradients: its rows are output channels, its columns elements of a filter.
#[derive(Clone)]
pub(super) struct FilterTile {
    kernel: Kernel,
    /// Pixels of a stage; a partial sum is of a multiple of them.
    depth: usize,
    /// Workgroups that occupy a device.
    groups: usize,
}

impl FilterTile {
    /// A tile of a stem's kernels.
    pub fn choose(stem: &str, c_out: usize, c_in: usize, tuning: Tuning) -> FilterTile {
        let (depth, groups) = (32, 512);
        if !tuning.tensor_cores() {
            let kernel = Kernel::fma(format!("{stem}_tile").into(), [64, 64], 256);
            return FilterTile { kernel, depth, groups };
        }
        // TMA moves 16 bytes at least.
        let tma = c_in.is_multiple_of(8) && c_out.is_multiple_of(8);
        if tma && tuning.dialect == Dialect::Cuda(TensorCores::Wgmma) {
            return FilterTile::wgmma(c_out, c_in);
        }
        // Lower blocks bring more for each product: a tenth more work is better than half the height.
        let work = |&m: &usize| c_out.div_ceil(m) * m * if m == 128 { 10 } else { 11 + (64 - m) / 16 };
        let m = MMA_WIDTHS.into_iter().rev().min_by_key(work).expect("three");
        FilterTile { kernel: Kernel::mma(stem, 'm', m, [m, ROWS]), depth, groups }
    }

    /// Of every stem: a dense layer is a convolution of one pixel.
    fn wgmma(c_out: usize, c_in: usize) -> FilterTile {
        let (n, c, depth) = (warpgroup_columns(c_out), tma_channels(c_in), 64);
        let kernel = Kernel::wgmma("conv2d_bwd_filter", n, ('c', c), [n, ROWS], depth);
        // Hopper's multiprocessors, each with one workgroup or two: what is one wave leaves the fewest sums to add.
        let groups = 132 * if n == 128 { 1 } else { 2 };
        FilterTile { kernel, depth, groups }
    }

    /// Whether TMA brings the factors.
    pub fn is_tma(&self) -> bool {
        self.kernel.tma != 0
    }

    /// Workgroups along a filter's k elements. What TMA brings at once is of one tap.
    fn across(&self, k: usize, c_in: usize) -> usize {
        let k = if self.is_tma() { k / c_in * c_in.next_multiple_of(self.kernel.tma) } else { k };
        k.div_ceil(self.kernel.tile[1])
    }

    /// x and dy as its kernel takes them.
    fn factors(&self, of: &Gradient, step: &Step) -> Result<[Operand; 2], String> {
        let [mut x, dy] = [0, 1].map(|i| step.inputs[i].clone());
        if !self.is_tma() {
            return Ok([Operand::View(x), Operand::View(dy)]);
        }
        let axes = |[y, x]: [u32; 2]| [y as usize, x as usize];
        let [h, w] = axes([of.h, of.w]);
        let out = axes([of.h_out, of.w_out]);
        // No map is empty; of no pixels nothing is brought.
        let (pixels, c_in, c_out) = (of.pixels.max(1) as usize, of.c_in as usize, of.c_out as usize);
        x.shape = [pixels.div_ceil(out[0] * out[1]), h, w, c_in].into();
        let before = [of.pad_y as isize, of.pad_x as isize];
        let walk = PixelMap::new(x, axes([of.stride_y, of.stride_x]), before, out, self.kernel.tma, self.depth)?;
        // Rows of 64 or 32 outputs, as `AcrossK` of kernels/wgmma.cuh has them.
        let window = [if self.kernel.tile[0].is_multiple_of(64) { 64 } else { 32 }, self.depth];
        let dy = Operand::Matrix { of: Box::new(Operand::View(dy)), extents: [c_out, pixels], window };
        Ok([Operand::Pixels(Box::new(walk)), dy])
    }
}

/// Pixels that are worth a workgroup's start and the sums that it leaves.
const PIXELS: usize = 256;

pub(super) fn filter_params(
    tile: &FilterTile,
    [n, h, w, c_in]: [usize; 4],
    [c_out, k_h, k_w, _]: [usize; 4],
    stride: [usize; 2],
    padding: Padding,
) -> Result<Gradient, String> {
    let [ay, ax] = window::axes([h, w], [k_h, k_w], stride, padding)?;
    let (k, pixels) = (k_h * k_w * c_in, n * ay.out * ax.out);
    // By the extents alone, for the cut decides the sums' bits.
    let tiles = c_out.div_ceil(tile.kernel.tile[0]) * tile.across(k, c_in);
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

/// Partial sums over pixels, then their total; where one partial sum is all, the first pass alone writes dw.
pub(super) fn filter_calls<L: Lower<Params = Gradient>>(
    tile: FilterTile,
    params: Gradient,
    step: &Step,
    tuning: Tuning,
) -> Calls {
    let (c_out, k) = (params.c_out as usize, params.k as usize);
    let [x, dy] = tile.factors(&params, step)?;
    let sums = |to: Operand| {
        let across = tile.across(k, params.c_in as usize);
        let groups = [across as u32, c_out.div_ceil(tile.kernel.tile[0]) as u32, params.chunks];
        let operands = vec![x, dy, to, Operand::NoValue];
        call_on::<L>(tile.kernel.clone(), params, operands, groups)
    };
    let dw = Operand::View(step.output.clone());
    if params.chunks == 1 {
        return Ok(vec![sums(dw)]);
    }
    let partial = Operand::Scratch(params.chunks as usize * c_out * k);
    let inputs = step.inputs[..2].iter().cloned().map(Operand::View);
    let operands = inputs.chain([partial.clone(), dw]).collect();
    Ok(vec![sums(partial), call::<L>(format!("{}_merge", L::STEM), params, operands, tuning.threads(c_out * k)?)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(c_out: usize, c_in: usize, units: TensorCores) -> FilterTile {
        FilterTile::choose(
            "conv2d_bwd_filter",
            c_out,
            c_in,
            Tuning { dialect: Dialect::Cuda(units), max_groups: u32::MAX },
        )
    }

    /// Inception-ResNet-v1's convolutions among them.
    #[test]
    fn warpgroups_make_what_tma_can_bring() {
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
            let tile = tile(c_out, c_in, TensorCores::Wgmma);
            assert_eq!(tile.kernel.entry, entry, "{c_in} to {c_out}");
            assert_eq!(tile.kernel.shared() > 0, entry.starts_with("sm90"), "{entry}");
            assert!(tile.kernel.shared() <= 227 * 1024, "{entry}");
        }
        assert_eq!(tile(32, 32, TensorCores::Mma).kernel.entry, "conv2d_bwd_filter_mma_m32");
        assert_eq!(tile(32, 32, TensorCores::None).kernel.entry, "conv2d_bwd_filter_tile");
    }

    #[test]
    fn a_box_is_of_one_tap() {
        // Nine taps of two boxes, four boxes a block.
        assert_eq!(tile(32, 40, TensorCores::Wgmma).across(9 * 40, 40), 5);
        assert_eq!(tile(32, 40, TensorCores::Mma).across(9 * 40, 40), 3);
        assert_eq!(tile(32, 192, TensorCores::Wgmma).across(3 * 192, 192), 5);
    }

    #[test]
    fn chunks_are_whole_pieces_and_one_wave() {
        for (image, filters) in [
            ([90, 79, 79, 32], [32, 3, 3, 32]),
            ([90, 17, 17, 128], [128, 1, 7, 128]),
            ([3, 8, 8, 1792], [192, 1, 1, 1792]),
            ([1, 3, 3, 192], [192, 1, 3, 192]),
        ] {
            let tile = tile(filters[0], filters[3], TensorCores::Wgmma);
            let of = filter_params(&tile, image, filters, [1, 1], Padding::Same).unwrap();
            assert_eq!(of.chunk as usize % tile.depth, 0);
            assert!(of.chunk * of.chunks >= of.pixels && of.chunk * (of.chunks - 1) < of.pixels, "{image:?}");
            let blocks =
                tile.across(of.k as usize, filters[3]) * filters[0].div_ceil(tile.kernel.tile[0]) * of.chunks as usize;
            assert!(of.chunks == 1 || blocks <= tile.groups, "{image:?}: {blocks} blocks");
        }
    }
}
