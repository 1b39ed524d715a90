//! The maximum of two by two neighbours, a step of two: half a plane.

use crate::backend::cpu::simd::{Isa, Lanes8, Simd, per_isa};

/// Two rows of a plane to one of half the width.
#[derive(Clone, Copy)]
pub(super) struct Halve {
    /// The two rows; the same twice where there is but one.
    pub rows: [*const f32; 2],
    /// The row of maxima.
    pub to: *mut f32,
    /// Values of it: whole vectors are written.
    pub width: usize,
}

impl Halve {
    /// Runs it with the vectors of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; for whole vectors of the row of maxima, it is writable and the two rows are readable at
    /// twice the width, and they do not overlap.
    pub unsafe fn run(self, isa: Isa) {
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Halve);

/// # Safety
/// As [`Halve::run`].
#[inline(always)]
unsafe fn dispatch<V: Pairs>(work: Halve) {
    for at in (0..work.width).step_by(V::LANES) {
        // SAFETY: the caller's promises.
        unsafe {
            // Loops, not closures: those are compiled without the instruction set unless they happen to be inlined.
            let mut columns = [V::splat(0.0); 2];
            for (i, column) in columns.iter_mut().enumerate() {
                let from = 2 * at + i * V::LANES;
                *column = V::load(work.rows[0].add(from)).max(V::load(work.rows[1].add(from)));
            }
            V::maxima(columns[0], columns[1]).store(work.to.add(at));
        }
    }
}

/// A vector that can fold neighbouring lanes.
trait Pairs: Simd {
    /// The larger of each two neighbouring lanes of `low` and then `high`.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn maxima(low: Self, high: Self) -> Self;
}

impl Pairs for Lanes8 {
    #[inline(always)]
    unsafe fn maxima(low: Self, high: Self) -> Self {
        let (mut lanes, mut folded) = ([0.0f32; 16], [0.0f32; 8]);
        // SAFETY: there are eight lanes in a vector.
        unsafe {
            low.store(lanes.as_mut_ptr());
            high.store(lanes.as_mut_ptr().add(8));
            folded.iter_mut().zip(lanes.as_chunks::<2>().0).for_each(|(to, [a, b])| *to = a.max(*b));
            Lanes8::load(folded.as_ptr())
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Pairs;

    impl Pairs for __m256 {
        #[inline(always)]
        unsafe fn maxima(low: Self, high: Self) -> Self {
            // SAFETY: the caller has the instruction set.
            unsafe {
                // Of each half: two pairs of `low`, then two of `high`.
                let folded = _mm256_max_ps(_mm256_shuffle_ps::<0x88>(low, high), _mm256_shuffle_ps::<0xdd>(low, high));
                _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(folded)))
            }
        }
    }

    impl Pairs for __m512 {
        #[inline(always)]
        unsafe fn maxima(low: Self, high: Self) -> Self {
            // SAFETY: the caller has the instruction set.
            unsafe {
                // Of each quarter: two pairs of `low`, then two of `high`.
                let folded = _mm512_max_ps(_mm512_shuffle_ps::<0x88>(low, high), _mm512_shuffle_ps::<0xdd>(low, high));
                let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
                _mm512_castpd_ps(_mm512_permutexvar_pd(order, _mm512_castps_pd(folded)))
            }
        }
    }
}
