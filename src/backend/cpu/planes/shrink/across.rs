//! Sums along the rows of a band, all rows side by side.

use crate::backend::cpu::simd::{Isa, Lanes8, Simd, per_isa};
use crate::image::AreaTable;

/// Sums along the rows of a band.
pub(super) struct Across<'a> {
    /// `[x][channel][row]`.
    pub band: &'a [u8],
    /// Which pixels count for a sum, and how much.
    pub table: &'a AreaTable,
    /// Sums of one channel that there is room for.
    pub width: usize,
    /// `[channel][sum][row]`.
    pub to: &'a mut [f32],
}

impl Across<'_> {
    /// Runs it with the vectors of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; the band's rows are as many as it has lanes, the table's taps are pixels of it, and there is
    /// room for the sums.
    pub unsafe fn run(self, isa: Isa) {
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Across);

/// # Safety
/// As [`Across::run`].
#[inline(always)]
unsafe fn dispatch<V: Bytes>(work: Across) {
    let plane = work.width * V::LANES;
    for d in 0..work.table.len() {
        // SAFETY: the taps lie in the band, and the sums in their planes.
        unsafe {
            let mut sums = [V::splat(0.0); 3];
            for tap in work.table.taps(d) {
                let weight = V::splat(tap.weight);
                let pixel = work.band.as_ptr().add(tap.source as usize * 3 * V::LANES);
                for (channel, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(V::load_bytes(pixel.add(channel * V::LANES)).mul(weight));
                }
            }
            for (channel, sum) in sums.into_iter().enumerate() {
                sum.store(work.to.as_mut_ptr().add(channel * plane + d * V::LANES));
            }
        }
    }
}

/// A vector that can be read from bytes.
trait Bytes: Simd {
    /// As [`Simd::load`], each lane from a byte's value.
    ///
    /// # Safety
    /// The instruction set is there; `from` is readable for [`Simd::LANES`] bytes.
    unsafe fn load_bytes(from: *const u8) -> Self;
}

impl Bytes for Lanes8 {
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: readable for 8 bytes, as the caller promises.
        unsafe {
            let floats = from.cast::<[u8; 8]>().read_unaligned().map(f32::from);
            Lanes8::load(floats.as_ptr())
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Bytes;

    impl Bytes for __m256 {
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> Self {
            // SAFETY: as the caller promises; the instruction takes any alignment.
            unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
        }
    }

    impl Bytes for __m512 {
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> Self {
            // SAFETY: as the caller promises; the instruction takes any alignment.
            unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
        }
    }
}
