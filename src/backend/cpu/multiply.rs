//! How vectors of f32 sums take products of stored values.
//!
//! f32: one fused multiply-add a lane. bf16: a lane takes two neighbouring values at once, as `vdpbf16ps` does: the odd
//! product first, then the even one, each by a fused multiply-add rounded to the nearest even number, whose operands and
//! result are zero where they are below the least normal number (Intel's manual, volume 2; AMD's processors do the same).

use half::bf16;

use super::element::Element;
use super::simd::{Lanes8, Simd};

/// A vector of sums to which products of values of a type are added.
pub(super) trait Multiply<E: Element>: Simd {
    /// [`Element::STEP`] values for each lane.
    type Factors: Copy;
    /// Values of one lane after the other.
    /// # Safety
    /// The instruction set is there; as many values are readable.
    unsafe fn factors(from: *const E) -> Self::Factors;
    /// The same [`Element::STEP`] values for all lanes.
    /// # Safety
    /// As [`Multiply::factors`].
    unsafe fn spread(from: *const E) -> Self::Factors;
    /// One value for all lanes, which fills the step up with zeros.
    /// # Safety
    /// As [`Multiply::factors`], for the one value.
    unsafe fn spread_one(from: *const E) -> Self::Factors;
    /// Adds each lane's products.
    /// # Safety
    /// The instruction set is there.
    unsafe fn add_products(self, x: Self::Factors, w: Self::Factors) -> Self;
    /// Reads a value for each lane.
    /// # Safety
    /// As [`Multiply::factors`].
    unsafe fn read(from: *const E) -> Self;
    /// Writes each lane, rounded.
    /// # Safety
    /// The instruction set is there; a value for each lane is writable.
    unsafe fn write(self, to: *mut E);
}

impl<V: Simd> Multiply<f32> for V {
    type Factors = V;
    #[inline(always)]
    unsafe fn factors(from: *const f32) -> V {
        // SAFETY: as the caller promises; so below.
        unsafe { V::load(from) }
    }
    #[inline(always)]
    unsafe fn spread(from: *const f32) -> V {
        // SAFETY: see above.
        unsafe { V::splat(*from) }
    }
    #[inline(always)]
    unsafe fn spread_one(from: *const f32) -> V {
        // SAFETY: see above.
        unsafe { V::splat(*from) }
    }
    #[inline(always)]
    unsafe fn add_products(self, x: V, w: V) -> V {
        // SAFETY: see above.
        unsafe { self.mul_add(x, w) }
    }
    #[inline(always)]
    unsafe fn read(from: *const f32) -> V {
        // SAFETY: see above.
        unsafe { V::load(from) }
    }
    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { self.store(to) }
    }
}

/// Zero for what is below the least normal number, its sign kept.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0.0f32.copysign(x) } else { x }
}

/// One lane of `vdpbf16ps`.
fn dot(sum: f32, x: [bf16; 2], w: [bf16; 2]) -> f32 {
    let of = |value: bf16| flushed(value.widened());
    let odd = flushed(of(x[1]).mul_add(of(w[1]), flushed(sum)));
    flushed(of(x[0]).mul_add(of(w[0]), odd))
}

/// What the instruction does, in plain Rust: the reference that it is held against.
impl Multiply<bf16> for Lanes8 {
    type Factors = [[bf16; 2]; 8];
    #[inline(always)]
    unsafe fn factors(from: *const bf16) -> Self::Factors {
        // SAFETY: as the caller promises; so below.
        unsafe { from.cast::<Self::Factors>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn spread(from: *const bf16) -> Self::Factors {
        // SAFETY: see above.
        [unsafe { from.cast::<[bf16; 2]>().read_unaligned() }; 8]
    }
    #[inline(always)]
    unsafe fn spread_one(from: *const bf16) -> Self::Factors {
        // SAFETY: see above.
        [[unsafe { *from }, bf16::ZERO]; 8]
    }
    #[inline(always)]
    unsafe fn add_products(self, x: Self::Factors, w: Self::Factors) -> Self {
        let mut sums = [0.0; 8];
        // SAFETY: an array of eight, as the vector is.
        unsafe {
            self.store(sums.as_mut_ptr());
            sums.iter_mut().zip(x.into_iter().zip(w)).for_each(|(sum, (x, w))| *sum = dot(*sum, x, w));
            Self::load(sums.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn read(from: *const bf16) -> Self {
        // SAFETY: see above.
        unsafe { Self::load(from.cast::<[bf16; 8]>().read_unaligned().map(Element::widened).as_ptr()) }
    }
    #[inline(always)]
    unsafe fn write(self, to: *mut bf16) {
        let mut values = [0.0; 8];
        // SAFETY: see above.
        unsafe {
            self.store(values.as_mut_ptr());
            to.cast::<[bf16; 8]>().write_unaligned(values.map(bf16::rounded));
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    use half::bf16;

    impl super::Multiply<bf16> for __m512 {
        type Factors = __m512bh;
        #[inline(always)]
        unsafe fn factors(from: *const bf16) -> __m512bh {
            // SAFETY: as the caller promises; the instruction takes any alignment; so below. Vectors are bits.
            unsafe { transmute(_mm512_loadu_si512(from.cast())) }
        }
        #[inline(always)]
        unsafe fn spread(from: *const bf16) -> __m512bh {
            // SAFETY: see above.
            unsafe { transmute(_mm512_set1_epi32(from.cast::<i32>().read_unaligned())) }
        }
        #[inline(always)]
        unsafe fn spread_one(from: *const bf16) -> __m512bh {
            // SAFETY: see above.
            unsafe { transmute(_mm512_set1_epi32(i32::from((*from).to_bits()))) }
        }
        #[inline(always)]
        unsafe fn add_products(self, x: __m512bh, w: __m512bh) -> Self {
            // SAFETY: see above.
            unsafe { _mm512_dpbf16_ps(self, x, w) }
        }
        #[inline(always)]
        unsafe fn read(from: *const bf16) -> Self {
            // SAFETY: see above.
            unsafe {
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()))))
            }
        }
        #[inline(always)]
        unsafe fn write(self, to: *mut bf16) {
            // SAFETY: see above.
            unsafe { _mm256_storeu_si256(to.cast(), transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(self))) }
        }
    }
}
