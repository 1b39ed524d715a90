//! The register tile of the gradient of a locally connected layer's input: a few images by a few vectors of one window,
//! summed over the position's outputs.
//!
//! Formula: `dx[image, lane] += sum over outputs of dy[image, output] * w[output, lane]`, in the outputs' order. Per output,
//! a tile of I x V loads V vectors of the filter, broadcasts I gradients and does I * V multiply-adds.

use super::simd::{Isa, Simd, per_isa, prefetch};

/// Vectors of the widest tile.
pub(super) const VECTORS: usize = 3;
/// Images of the tallest tile of any instruction set.
const MAX_IMAGES: usize = 8;

/// A tile's work.
pub(super) struct Spread<'a> {
    /// The first image's gradients of the position, and values from one image's to the next's.
    pub dy: *const f32,
    pub dy_image: usize,
    /// Images.
    pub images: usize,
    /// The first output's filter at these lanes, and values from one output's to the next's.
    pub w: *const f32,
    pub filter: usize,
    /// How many outputs.
    pub outputs: usize,
    /// Values: whole vectors, 1 to [`VECTORS`] of them, or fewer than one.
    pub width: usize,
    /// Filters that are asked for soon.
    pub ahead: &'a [f32],
    /// The first image's gradient at these lanes, and values from one image's to the next's.
    pub dx: *mut f32,
    pub dx_image: usize,
}

/// Images of the tallest tile: accumulators, a filter's vectors and a broadcast must fit the register file.
pub(super) fn images(isa: Isa) -> usize {
    match isa {
        Isa::Portable => 2,
        Isa::Avx2 => 4,
        Isa::Avx512 | Isa::Avx512Bf16 => MAX_IMAGES,
    }
}

impl Spread<'_> {
    /// Adds the tile with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; gradients and filters are readable, and dx is writable, for the images, outputs and lanes.
    pub unsafe fn run(self, isa: Isa) {
        debug_assert!(self.images <= images(isa));
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Spread);

/// Picks the tile whose extents are constants.
///
/// # Safety
/// As [`Spread::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(tile: Spread) {
    tile.ahead.chunks(16).for_each(|line| prefetch(line.as_ptr()));
    macro_rules! by_images {
        ($($images:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match (tile.images, tile.width / V::LANES) {
                    (_, 0) => rest(tile),
                    $(($images, 1) => kernel::<V, $images, 1>(tile), ($images, 2) => kernel::<V, $images, 2>(tile),
                      ($images, 3) => kernel::<V, $images, 3>(tile),)+
                    (images, vectors) => unreachable!("no tile of {images} images by {vectors} vectors"),
                }
            }
        };
    }
    if V::LANES == 16 { by_images!(1 2 3 4 5 6 7 8) } else { by_images!(1 2 3 4) }
}

/// # Safety
/// As [`Spread::run`].
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<V: Simd, const IMAGES: usize, const VECTORS: usize>(tile: Spread) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut acc = [[V::splat(0.0); VECTORS]; IMAGES];
        for image in 0..IMAGES {
            for v in 0..VECTORS {
                acc[image][v] = V::load(tile.dx.add(image * tile.dx_image + v * V::LANES));
            }
        }
        for o in 0..tile.outputs {
            let mut filter = [V::splat(0.0); VECTORS];
            for v in 0..VECTORS {
                filter[v] = V::load(tile.w.add(o * tile.filter + v * V::LANES));
            }
            for image in 0..IMAGES {
                let dy = V::splat(*tile.dy.add(image * tile.dy_image + o));
                for v in 0..VECTORS {
                    acc[image][v] = acc[image][v].mul_add(dy, filter[v]);
                }
            }
        }
        for image in 0..IMAGES {
            for v in 0..VECTORS {
                acc[image][v].store(tile.dx.add(image * tile.dx_image + v * V::LANES));
            }
        }
    }
}

/// What is less than a vector.
///
/// # Safety
/// As [`Spread::run`].
#[inline(always)]
unsafe fn rest(tile: Spread) {
    for image in 0..tile.images {
        for lane in 0..tile.width {
            // SAFETY: as the caller promises.
            unsafe {
                let to = tile.dx.add(image * tile.dx_image + lane);
                let dy = tile.dy.add(image * tile.dy_image);
                *to = (0..tile.outputs).fold(*to, |sum, o| sum + *dy.add(o) * *tile.w.add(o * tile.filter + lane));
            }
        }
    }
}
