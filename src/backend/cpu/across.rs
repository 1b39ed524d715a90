//! The register tile of locally connected layers for many images: a few outputs of one position by vectors whose lanes are
//! images, summed along filters.
//!
//! Formula and order are those of [`dot`](super::dot): what is lane l there is a pass over k = l, l + L, .. here, with partial
//! sums that wait in memory from one stretch of the filters to the next. Per value of a filter, a tile of O x V loads V
//! vectors of images, broadcasts O values and does O * V multiply-adds; windows are read in place, since images lie side by
//! side, and lanes are added without a shuffle.

use super::dot::{MAX_LANES, STRETCH};
use super::simd::{Isa, Simd, per_isa, prefetch};
use super::transpose::Transpose;

/// Outputs of the tallest tile.
pub(super) const MAX_OUTPUTS: usize = 8;
/// Vectors of images of the widest tile.
pub(super) const VECTORS: usize = 2;
/// Values of the widest tile's sums.
const TILE: usize = MAX_OUTPUTS * VECTORS * MAX_LANES;
/// Values of [`Across::lanes`].
pub(super) const LANES: usize = MAX_LANES * TILE;
/// Values of [`Across::sums`], and of [`Across::y`] in whole vectors.
pub(super) const SUMS: usize = MAX_LANES * VECTORS * MAX_LANES;

/// Where in an image the values of a window lie: first those that whole vectors hold, lane by lane, then what is left.
pub(super) struct Offsets {
    /// `[lane, vector]`.
    whole: Vec<usize>,
    left: Vec<usize>,
}

impl Offsets {
    /// `of[k]` is where value `k` of a filter meets the image.
    pub fn new(isa: Isa, of: &[usize]) -> Self {
        let (whole, left) = of.split_at(of.len() / isa.lanes() * isa.lanes());
        let lanes = (0..isa.lanes()).flat_map(|lane| whole.iter().skip(lane).step_by(isa.lanes()));
        Offsets { whole: lanes.copied().collect(), left: left.to_vec() }
    }
}

/// Some outputs' sums for one or two vectors of images.
pub(super) struct Across<'a> {
    /// Where the window begins; values of the same place of all images lie side by side.
    pub x: *const f32,
    pub offsets: &'a Offsets,
    /// One or [`VECTORS`] of images.
    pub vectors: usize,
    /// The first output's filter; the others follow it.
    pub w: *const f32,
    /// Values of a filter.
    pub filter: usize,
    /// How many outputs: a power of two up to what [`outputs`] allows.
    pub outputs: usize,
    /// Filters that are asked for meanwhile.
    pub ahead: &'a [f32],
    /// For the kernels alone: zeros before the first use.
    pub lanes: &'a mut [f32],
    /// For the kernels alone: `[output, image]`.
    pub sums: &'a mut [f32],
    /// `[image, output]`, a vector for each image.
    pub y: &'a mut [f32],
}

/// Outputs of the tallest tile: accumulators, images and a broadcast must fit the register file.
pub(super) fn outputs(isa: Isa) -> usize {
    match isa {
        Isa::Portable => 2,
        Isa::Avx2 => 4,
        Isa::Avx512 | Isa::Avx512Bf16 => MAX_OUTPUTS,
    }
}

impl Across<'_> {
    /// Makes the sums, by the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; images at the window and filters are readable.
    pub unsafe fn run(mut self, isa: Isa) {
        assert!(self.outputs <= MAX_OUTPUTS && self.vectors <= VECTORS);
        assert!(self.lanes.len() >= LANES && self.sums.len() >= SUMS && self.y.len() >= SUMS);
        // SAFETY: the caller's promises are this function's; memory for the kernels is as large as the widest takes.
        unsafe { by_isa(isa, &mut self) };
        let width = self.vectors * isa.lanes();
        let turned = Transpose {
            from: self.sums.as_ptr(),
            from_row: width,
            to: self.y.as_mut_ptr(),
            to_row: isa.lanes(),
            rows: isa.lanes(),
            columns: width,
        };
        // SAFETY: as above.
        unsafe { turned.run(isa) }
    }
}

type Task<'a, 'b> = &'a mut Across<'b>;
per_isa!(Task);

/// Picks the tile whose extents are constants.
///
/// # Safety
/// As [`Across::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(task: Task) {
    // SAFETY: the caller's promises.
    unsafe {
        match (task.vectors, task.outputs) {
            (1, 1) => all_lanes::<V, 1, 1>(task),
            (1, 2) => all_lanes::<V, 1, 2>(task),
            (1, 4) => all_lanes::<V, 1, 4>(task),
            (1, 8) => all_lanes::<V, 1, 8>(task),
            (2, 1) => all_lanes::<V, 2, 1>(task),
            (2, 2) => all_lanes::<V, 2, 2>(task),
            (2, 4) => all_lanes::<V, 2, 4>(task),
            (2, 8) => all_lanes::<V, 2, 8>(task),
            extents => unreachable!("no tile of {extents:?}"),
        }
    }
}

/// # Safety
/// As [`Across::run`].
#[inline(always)]
unsafe fn all_lanes<V: Simd, const VECTORS: usize, const OUTPUTS: usize>(task: Task) {
    let vectors = task.offsets.whole.len() / V::LANES;
    let calls = vectors.div_ceil(STRETCH) * V::LANES;
    let mut ahead = task.ahead.chunks(task.ahead.len().div_ceil(calls.max(1)).max(1));
    for first in (0..vectors).step_by(STRETCH) {
        for lane in 0..V::LANES {
            ahead.next().into_iter().flat_map(|ahead| ahead.chunks(16)).for_each(|line| prefetch(line.as_ptr()));
            // SAFETY: the caller's promises.
            unsafe { kernel::<V, VECTORS, OUTPUTS>(task, lane, [first, vectors.min(first + STRETCH)]) };
        }
    }
    // SAFETY: the caller's promises; lanes and sums hold the tile.
    unsafe { add_lanes::<V, VECTORS, OUTPUTS>(task, vectors) }
}

/// Adds a stretch of the filters to a lane's sums; the first stretch begins with zeros.
///
/// # Safety
/// As [`Across::run`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<V: Simd, const VECTORS: usize, const OUTPUTS: usize>(task: Task, lane: usize, of: [usize; 2]) {
    let [from, to] = of;
    let vectors = task.offsets.whole.len() / V::LANES;
    let offsets = &task.offsets.whole[lane * vectors..][from..to];
    let sums = task.lanes[lane * TILE..].as_mut_ptr();
    // SAFETY: what is read lies within images and filters, which the caller promises; lanes hold the tile.
    unsafe {
        let mut acc = [[V::splat(0.0); VECTORS]; OUTPUTS];
        if from > 0 {
            for o in 0..OUTPUTS {
                for v in 0..VECTORS {
                    acc[o][v] = V::load(sums.add((o * VECTORS + v) * V::LANES));
                }
            }
        }
        let mut w = task.w.add(from * V::LANES + lane);
        for &offset in offsets {
            let at = task.x.add(offset * VECTORS * V::LANES);
            let mut x = [V::splat(0.0); VECTORS];
            for v in 0..VECTORS {
                x[v] = V::load(at.add(v * V::LANES));
            }
            for o in 0..OUTPUTS {
                let filter = V::splat(*w.add(o * task.filter));
                for v in 0..VECTORS {
                    acc[o][v] = acc[o][v].mul_add(x[v], filter);
                }
            }
            w = w.wrapping_add(V::LANES);
        }
        for o in 0..OUTPUTS {
            for v in 0..VECTORS {
                acc[o][v].store(sums.add((o * VECTORS + v) * V::LANES));
            }
        }
    }
}

/// Adds lanes by halves, and to what is left of the filters. Narrower vectors left zeros.
///
/// # Safety
/// As [`Across::run`].
// As in the kernel.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn add_lanes<V: Simd, const VECTORS: usize, const OUTPUTS: usize>(task: Task, vectors: usize) {
    for o in 0..OUTPUTS {
        for v in 0..VECTORS {
            let at = (o * VECTORS + v) * V::LANES;
            // SAFETY: the caller's promises.
            unsafe {
                let lane = task.lanes.as_ptr().add(at);
                let mut halves = [V::splat(0.0); MAX_LANES / 2];
                for i in 0..MAX_LANES / 2 {
                    halves[i] = V::load(lane.add(i * TILE)).add(V::load(lane.add((i + MAX_LANES / 2) * TILE)));
                }
                for half in [4, 2, 1] {
                    for i in 0..half {
                        halves[i] = halves[i].add(halves[i + half]);
                    }
                }
                let mut sum = V::splat(0.0);
                for (i, &offset) in task.offsets.left.iter().enumerate() {
                    let x = V::load(task.x.add((offset * VECTORS + v) * V::LANES));
                    let w = V::splat(*task.w.add(o * task.filter + vectors * V::LANES + i));
                    // A product that is rounded before it is added: adding -0 changes none.
                    sum = sum.add(V::splat(-0.0).mul_add(x, w));
                }
                sum.add(halves[0]).store(task.sums.as_mut_ptr().add(at));
            }
        }
    }
}
