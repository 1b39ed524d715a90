//! A convolution on planes: lanes are neighbouring places of a plane, so that few channels waste none.
//!
//! Output places are counted through the plane, row after row, as if rows had no end: `y[o][p] = sum over k of
//! w[o][k] * x[p + offsets[k]]`, one fused multiply-add after the other in the order of [`super::super::tile`], so that
//! sums have its bits. Places past a row's last output are computed, too, and mean nothing. Per k, a tile of R channels
//! by P vectors loads P vectors, broadcasts R filter values and does R P multiply-adds.

use crate::backend::cpu::aligned::Aligned;
use crate::backend::cpu::simd::{Isa, Simd, activate, per_isa};
use crate::backend::cpu::workers::part;
use crate::ops::Activation;

/// The most channels of a tile, of any instruction set.
const MAX_CHANNELS: usize = 8;

/// Filters as tiles read them: `[block][k][channel]`, a block being a tile's channels.
#[derive(Debug)]
pub(super) struct Filters {
    c_out: usize,
    k: usize,
    blocks: usize,
    values: Aligned,
    bias: Vec<f32>,
    activation: Activation,
    alpha: Vec<f32>,
}

impl Filters {
    /// Packs filters `[c_out, k]`, with what follows the sums: a bias, and a slope where the activation has one.
    pub fn new(isa: Isa, k: usize, w: &[f32], bias: Vec<f32>, activation: Activation, alpha: Vec<f32>) -> Self {
        let c_out = bias.len();
        assert_eq!(w.len(), c_out * k);
        assert!(activation != Activation::PRelu || alpha.len() == c_out);
        let blocks = c_out.div_ceil(most_channels(isa));
        let mut values = Aligned::zeros(w.len());
        for block in 0..blocks {
            let channels = part(c_out, blocks, block);
            let to = &mut values[channels.start * k..channels.end * k];
            for (i, value) in to.iter_mut().enumerate() {
                *value = w[(channels.start + i % channels.len()) * k + i / channels.len()];
            }
        }
        Filters { c_out, k, blocks, values, bias, activation, alpha }
    }

    /// Channels out.
    pub fn c_out(&self) -> usize {
        self.c_out
    }
}

/// How many channels the largest tile has: with three vectors of each, accumulators, inputs and a broadcast must fit
/// the register file.
fn most_channels(isa: Isa) -> usize {
    match isa {
        Isa::Portable | Isa::Avx2 => 4,
        Isa::Avx512 | Isa::Avx512Bf16 => MAX_CHANNELS,
    }
}

/// A convolution's work on planes.
#[derive(Clone, Copy)]
pub(super) struct Convolve<'a> {
    pub filters: &'a Filters,
    /// The first output place's window.
    pub x: *const f32,
    /// From a window's start to each of its values, in the order of the sums.
    pub offsets: &'a [usize],
    /// The first output channel's plane, and values from one plane to the next.
    pub y: *mut f32,
    pub plane: usize,
    /// Output places: whole vectors are written.
    pub places: usize,
}

impl Convolve<'_> {
    /// Runs it with the kernels of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; for whole vectors of places the windows are readable and the output planes writable, and
    /// they do not overlap.
    pub unsafe fn run(self, isa: Isa) {
        assert_eq!(self.offsets.len(), self.filters.k);
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Convolve);

/// # Safety
/// As [`Convolve::run`].
#[inline(always)]
unsafe fn dispatch<V: Simd>(work: Convolve) {
    let filters = work.filters;
    // Few channels leave registers for a fourth vector of places.
    let most = if V::LANES == 16 && filters.c_out.div_ceil(filters.blocks.max(1)) <= 6 { 4 } else { 3 };
    let vectors = work.places.div_ceil(V::LANES);
    let tiles = vectors.div_ceil(most);
    for tile in 0..tiles {
        let range = part(vectors, tiles, tile);
        for block in 0..filters.blocks {
            let channels = part(filters.c_out, filters.blocks, block);
            // SAFETY: the tile's vectors are among the places, and its channels among the filters'.
            unsafe { by_extents::<V>(&work, range.start * V::LANES, range.len(), channels.start, channels.len()) }
        }
    }
}

/// Picks the tile whose extents are constants.
///
/// # Safety
/// As [`Convolve::run`].
#[inline(always)]
unsafe fn by_extents<V: Simd>(work: &Convolve, place: usize, vectors: usize, first: usize, channels: usize) {
    macro_rules! by_extents {
        ($($channels:literal)+) => {
            // SAFETY: the caller's promises.
            unsafe {
                match (channels, vectors) {
                    $(($channels, 1) => kernel::<V, $channels, 1>(work, place, first),
                      ($channels, 2) => kernel::<V, $channels, 2>(work, place, first),
                      ($channels, 3) => kernel::<V, $channels, 3>(work, place, first),
                      ($channels, 4) => kernel::<V, $channels, 4>(work, place, first),)+
                    _ => unreachable!("no tile of {channels} channels by {vectors} vectors"),
                }
            }
        };
    }
    // Tiles larger than the register file allows are never asked for, and cost nothing but code.
    if V::LANES == 16 { by_extents!(1 2 3 4 5 6 7 8) } else { by_extents!(1 2 3 4) }
}

/// # Safety
/// As [`Convolve::run`]; CHANNELS channels from `first` on are a block, and PLACES vectors from `place` on are there.
// Indices are constants once unrolled, and show which register meets which.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn kernel<V: Simd, const CHANNELS: usize, const PLACES: usize>(work: &Convolve, place: usize, first: usize) {
    let filters = work.filters;
    // SAFETY: the block's filters are `k` times CHANNELS values; windows and planes are the caller's promise.
    unsafe {
        let mut acc = [[V::splat(0.0); PLACES]; CHANNELS];
        let (x, mut w) = (work.x.add(place), filters.values.as_ptr().add(first * filters.k));
        for &offset in work.offsets {
            let mut values = [V::splat(0.0); PLACES];
            for p in 0..PLACES {
                values[p] = V::load(x.add(offset + p * V::LANES));
            }
            for channel in 0..CHANNELS {
                let filter = V::splat(*w.add(channel));
                for p in 0..PLACES {
                    acc[channel][p] = acc[channel][p].mul_add(values[p], filter);
                }
            }
            w = w.add(CHANNELS);
        }
        for channel in 0..CHANNELS {
            let to = work.y.add((first + channel) * work.plane + place);
            let bias = V::splat(*filters.bias.get_unchecked(first + channel));
            let alpha = match filters.activation {
                Activation::PRelu => V::splat(*filters.alpha.get_unchecked(first + channel)),
                _ => bias,
            };
            for p in 0..PLACES {
                let sum = acc[channel][p].add(bias);
                activate(filters.activation, sum, alpha).store(to.add(p * V::LANES));
            }
        }
    }
}
