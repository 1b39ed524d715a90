//! The register tile of locally connected layers: a few images by a few outputs of one position, summed along filters.
//!
//! Formula: `sums[image, output] = sum over k of x[image][k] * w[output][k]`. Lane l of L sums the values of k = l, l + L, .., in order;
//! then lanes are added, and last what is left of the filters. Per vector of k, a tile of I x O loads I + O vectors and does
//! I * O multiply-adds: filters are read as they lie in memory, whether constants or weights in training, and each image's
//! sum is the same in every tile.
//!
//! Filters are cut into stretches that stay in the first-level cache while all images pass by; sums wait in memory.

use super::simd::{Isa, Simd, per_isa, prefetch};
use super::vectorized::vectorized;

/// Outputs of the widest tile.
pub(super) const OUTPUTS: usize = 4;
/// Images of the tallest tile of any instruction set.
const MAX_IMAGES: usize = 4;
/// Lanes of the widest vector.
pub(super) const MAX_LANES: usize = 16;
/// Vectors of a stretch.
pub(super) const STRETCH: usize = 28;

/// The lanes of an image's sums; narrower vectors leave zeros.
pub(super) type Lanes = [[f32; MAX_LANES]; OUTPUTS];

/// Some outputs' sums for images whose windows lie side by side.
pub(super) struct Dot<'a> {
    /// The first image's window, and values from one to the next.
    pub x: *const f32,
    pub image: usize,
    /// The first output's filter; the others follow it.
    pub w: *const f32,
    /// Values of a filter.
    pub filter: usize,
    /// How many outputs.
    pub outputs: usize,
    /// Filters that are asked for meanwhile.
    pub ahead: &'a [f32],
    /// Each image's lanes, for the kernels alone.
    pub lanes: &'a mut [Lanes],
    /// Each image's sums.
    pub sums: &'a mut [[f32; OUTPUTS]],
}

/// Images of the tallest tile: accumulators, a vector for each output and one of an image must fit the register file.
pub(super) const fn images(lanes: usize) -> usize {
    if lanes == MAX_LANES { MAX_IMAGES } else { 2 }
}

impl Dot<'_> {
    /// Makes the sums, by the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; windows and filters are readable.
    pub unsafe fn run(mut self, isa: Isa) {
        assert_eq!(self.lanes.len(), self.sums.len());
        let outputs = self.outputs;
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, &mut self) };
        add_lanes(isa, self.sums, self.lanes, outputs);
    }
}

vectorized! {
    /// Adds each sum's lanes to it, by halves. Apart from the kernel, whose sums would otherwise have to be in those
    /// registers that have halves.
    fn add_lanes(sums: &mut [[f32; OUTPUTS]], lanes: &[Lanes], outputs: usize) {
        for (sums, lanes) in sums.iter_mut().zip(lanes) {
            for (sum, lanes) in sums[..outputs].iter_mut().zip(lanes) {
                let eight: [f32; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
                let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
                *sum += (four[0] + four[2]) + (four[1] + four[3]);
            }
        }
    }
}

type Task<'a, 'b> = &'a mut Dot<'b>;
per_isa!(Task);

/// Picks the tiles whose extents are constants.
///
/// # Safety
/// As [`Dot::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(dot: Task) {
    // SAFETY: the caller's promises.
    unsafe {
        match dot.outputs {
            1 => all_images::<V, 1>(dot),
            2 => all_images::<V, 2>(dot),
            3 => all_images::<V, 3>(dot),
            4 => all_images::<V, 4>(dot),
            outputs => unreachable!("no tile of {outputs} outputs"),
        }
    }
}

/// # Safety
/// As [`Dot::run`].
#[inline(always)]
unsafe fn all_images<V: Simd, const OUTPUTS: usize>(dot: Task) {
    let (n, vectors, height) = (dot.sums.len(), dot.filter / V::LANES, images(V::LANES));
    let calls = vectors.div_ceil(STRETCH) * n.div_ceil(height);
    let mut ahead = dot.ahead.chunks(dot.ahead.len().div_ceil(calls.max(1)).max(1));
    for first in (0..vectors).step_by(STRETCH) {
        let of = [first, vectors.min(first + STRETCH)];
        let mut image = 0;
        while image < n {
            ahead.next().into_iter().flat_map(|ahead| ahead.chunks(16)).for_each(|line| prefetch(line.as_ptr()));
            let tall = (n - image).min(height);
            // SAFETY: the caller's promises.
            unsafe {
                match tall {
                    1 => kernel::<V, 1, OUTPUTS>(dot, image, of),
                    2 => kernel::<V, 2, OUTPUTS>(dot, image, of),
                    3 => kernel::<V, 3, OUTPUTS>(dot, image, of),
                    _ => kernel::<V, 4, OUTPUTS>(dot, image, of),
                }
            }
            image += tall;
        }
    }
    for (image, sums) in dot.sums.iter_mut().enumerate() {
        for (o, sum) in sums[..OUTPUTS].iter_mut().enumerate() {
            let left = vectors * V::LANES..dot.filter;
            // SAFETY: windows and filters are readable.
            let product = |k: usize| unsafe { *dot.x.add(image * dot.image + k) * *dot.w.add(o * dot.filter + k) };
            *sum = left.fold(0.0, |sum, k| sum + product(k));
        }
    }
}

/// Adds a stretch of vectors to the lanes of some images from `first` on; the first stretch begins with zeros.
///
/// # Safety
/// As [`Dot::run`]; there are so many images.
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<V: Simd, const IMAGES: usize, const OUTPUTS: usize>(dot: Task, first: usize, of: [usize; 2]) {
    let [from, to] = of.map(|vector| vector * V::LANES);
    let lanes = &mut dot.lanes[first..first + IMAGES];
    // SAFETY: what is read lies within windows and filters, which the caller promises; a vector fits into lanes.
    unsafe {
        let (x, w) = (dot.x.add(first * dot.image), dot.w);
        let mut acc = [[V::splat(0.0); OUTPUTS]; IMAGES];
        if from > 0 {
            for image in 0..IMAGES {
                for o in 0..OUTPUTS {
                    acc[image][o] = V::load(lanes[image][o].as_ptr());
                }
            }
        }
        let mut k = from;
        while k < to {
            let mut filters = [V::splat(0.0); OUTPUTS];
            for o in 0..OUTPUTS {
                filters[o] = V::load(w.add(o * dot.filter + k));
            }
            for image in 0..IMAGES {
                let x = V::load(x.add(image * dot.image + k));
                for o in 0..OUTPUTS {
                    acc[image][o] = acc[image][o].mul_add(x, filters[o]);
                }
            }
            k += V::LANES;
        }
        for image in 0..IMAGES {
            for o in 0..OUTPUTS {
                acc[image][o].store(lanes[image][o].as_mut_ptr());
            }
        }
    }
}
