//! The register tile of locally connected layers: a few images by a few outputs of one position, summed along filters.
//!
//! Formula: `sums[image, output] = sum over runs, k of x[image][run][k] * w[output][run][k]`. A lane sums every so many
//! values of a run, in order; then lanes are added, and last what is left of each run. Per vector of k, a tile of I x O
//! loads I + O vectors and does I * O multiply-adds, so that filters are read as they lie in memory, whether constants or
//! weights in training, and each image's sum is the same in every tile.

use super::simd::{Isa, Simd, per_isa, prefetch};

/// Outputs of the widest tile.
pub(super) const OUTPUTS: usize = 4;
/// Images of the tallest tile of any instruction set.
pub(super) const MAX_IMAGES: usize = 4;

/// Sums of one tile.
pub(super) type Sums = [[f32; OUTPUTS]; MAX_IMAGES];

/// A tile's work.
pub(super) struct Dot<'a> {
    /// The first image's window.
    pub x: *const f32,
    /// Images, and values from one to the next.
    pub images: usize,
    pub image: usize,
    /// Rows of the window, the values of one, and the input's values from one to the next.
    pub runs: usize,
    pub run: usize,
    pub line: usize,
    /// The first output's filter; the others follow it.
    pub w: *const f32,
    /// How many outputs.
    pub outputs: usize,
    /// Filters that are asked for soon.
    pub ahead: &'a [f32],
    pub sums: &'a mut Sums,
}

/// Images of the tallest tile: accumulators, a vector for each output and one of an image must fit the register file.
pub(super) fn images(isa: Isa) -> usize {
    match isa {
        Isa::Portable | Isa::Avx2 => 2,
        Isa::Avx512 => MAX_IMAGES,
    }
}

impl Dot<'_> {
    /// Sums the tile with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; every run of every image and all filters are readable.
    pub unsafe fn run(self, isa: Isa) {
        debug_assert!(self.images <= images(isa) && self.outputs <= OUTPUTS);
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Dot);

/// Picks the tile whose extents are constants.
///
/// # Safety
/// As [`Dot::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(tile: Dot) {
    macro_rules! by_images {
        ($($images:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match (tile.images, tile.outputs) {
                    $(($images, 1) => kernel::<V, $images, 1>(tile), ($images, 2) => kernel::<V, $images, 2>(tile),
                      ($images, 3) => kernel::<V, $images, 3>(tile), ($images, 4) => kernel::<V, $images, 4>(tile),)+
                    (images, outputs) => unreachable!("no tile of {images} images by {outputs} outputs"),
                }
            }
        };
    }
    if V::LANES == 16 { by_images!(1 2 3 4) } else { by_images!(1 2) }
}

/// # Safety
/// As [`Dot::run`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<V: Simd, const IMAGES: usize, const OUTPUTS: usize>(tile: Dot) {
    let filter = tile.runs * tile.run;
    let share = tile.ahead.len().div_ceil(tile.runs.max(1)).max(1);
    let mut ahead = tile.ahead.chunks(share);
    // SAFETY: what is read lies within runs and filters, which the caller promises.
    unsafe {
        let mut acc = [[V::splat(0.0); OUTPUTS]; IMAGES];
        let mut rest = [[0.0f32; OUTPUTS]; IMAGES];
        for run in 0..tile.runs {
            ahead.next().into_iter().flat_map(|ahead| ahead.chunks(16)).for_each(|line| prefetch(line.as_ptr()));
            let (x, w) = (tile.x.add(run * tile.line), tile.w.add(run * tile.run));
            for k in (0..tile.run / V::LANES).map(|k| k * V::LANES) {
                let mut filters = [V::splat(0.0); OUTPUTS];
                for o in 0..OUTPUTS {
                    filters[o] = V::load(w.add(o * filter + k));
                }
                for image in 0..IMAGES {
                    let x = V::load(x.add(image * tile.image + k));
                    for o in 0..OUTPUTS {
                        acc[image][o] = acc[image][o].mul_add(x, filters[o]);
                    }
                }
            }
            for k in tile.run / V::LANES * V::LANES..tile.run {
                for image in 0..IMAGES {
                    for o in 0..OUTPUTS {
                        rest[image][o] += *x.add(image * tile.image + k) * *w.add(o * filter + k);
                    }
                }
            }
        }
        for image in 0..IMAGES {
            for o in 0..OUTPUTS {
                tile.sums[image][o] = acc[image][o].sum() + rest[image][o];
            }
        }
    }
}
