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

/// `x * w + sum`, rounded once; zero where the exact result, rounded to as many bits, is below the least normal number,
/// also if the nearest f32 is that number.
fn fused(x: f32, w: f32, sum: f32) -> f32 {
    let nearest = x.mul_add(w, sum);
    // The product is exact in f64, and the sum exact enough so near to zero.
    let exact = f64::from(x) * f64::from(w) + f64::from(sum);
    // The least normal number less half of what one bit is worth just below it: what is halfway rounds up, to even.
    let least = f64::from(f32::MIN_POSITIVE) * (1.0 - f64::powi(2.0, -25));
    if exact.abs() < least { 0.0f32.copysign(nearest) } else { nearest }
}

/// One lane of `vdpbf16ps`.
fn dot(sum: f32, x: [bf16; 2], w: [bf16; 2]) -> f32 {
    let of = |value: bf16| flushed(value.widened());
    let odd = fused(of(x[1]), of(w[1]), flushed(sum));
    fused(of(x[0]), of(w[0]), odd)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn two(exponent: i32) -> bf16 {
        bf16::from_f32(f32::powi(2.0, exponent))
    }

    #[test]
    fn the_odd_product_is_added_first() {
        // The other way around it is two more.
        assert_eq!(dot(1.0, [two(0), two(12)], [two(0), two(12)]), 16_777_216.0);
        assert_eq!(dot(1.0, [two(12), two(0)], [two(12), two(0)]), 16_777_218.0);
        assert_eq!(dot(0.5, [bf16::from_f32(3.0), bf16::from_f32(-2.0)], [two(1), two(2)]), -1.5);
    }

    #[test]
    fn what_is_below_the_least_normal_number_is_zero() {
        let (least, zero) = (f32::MIN_POSITIVE, bf16::ZERO);
        let bits = |sum: f32, x: bf16, w: bf16| dot(sum, [x, zero], [w, zero]).to_bits();
        assert_eq!(bits(f32::from_bits(1), zero, zero), 0, "a sum");
        assert_eq!(bits(f32::from_bits(0x8000_0001), zero, zero), 0, "a negative sum, and zero added to it");
        assert_eq!(bits(0.0, bf16::from_bits(0x7f), two(127)), 0, "a factor");
        assert_eq!(bits(0.0, two(-75), two(-75)), 0, "a result");
        assert_eq!(bits(-least, two(-75), two(-74)), 0x8000_0000, "a negative result");
        assert_eq!(bits(least, two(-75), two(-74)), 0x0080_0001, "a product is not rounded by itself");
        assert_eq!(bits(least, two(-75), -two(-75)), 0, "below it by half a bit of f32, by one of what is exact");
        assert_eq!(bits(least, two(-75), -two(-76)), 0x0080_0000, "halfway rounds to even");
        assert_eq!(bits(least, bf16::from_f32(1.5) * two(-75), -two(-76)), 0, "more than halfway");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_instruction_agrees_to_the_bit() {
        use crate::backend::cpu::Isa;
        use std::arch::x86_64::__m512;

        #[target_feature(enable = "avx512f,avx512bf16")]
        unsafe fn lanes(sums: &mut [f32; 16], x: &[bf16; 32], w: &[bf16; 32]) {
            // SAFETY: arrays hold as many values as a vector.
            unsafe {
                let (x, w) = (__m512::factors(x.as_ptr()), __m512::factors(w.as_ptr()));
                let sum = __m512::load(sums.as_ptr());
                Multiply::<bf16>::add_products(sum, x, w).store(sums.as_mut_ptr());
            }
        }

        if !Isa::Avx512Bf16.is_available() {
            return eprintln!("SKIPPED: this machine has no AVX512-BF16");
        }
        let mut state = 1u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        };
        // Any bits, and exponents from some on: ordinary sums, and such as fall below the least normal number.
        for [base, of, base_sum, of_sum] in [[0, 255, 0, 255], [120, 14, 118, 18], [45, 40, 0, 24], [50, 12, 1, 2]] {
            let float = |bits: u32, base: u32, of: u32| bits & 0x807f_ffff | (base + bits % of) << 23;
            for _ in 0..20_000 {
                let mut factors = || -> [bf16; 32] {
                    std::array::from_fn(|_| bf16::from_bits((float(random().rotate_left(9), base, of) >> 16) as u16))
                };
                let (x, w) = (factors(), factors());
                let sums: [f32; 16] = std::array::from_fn(|_| f32::from_bits(float(random(), base_sum, of_sum)));
                let mut got = sums;
                // SAFETY: this machine has the instructions.
                unsafe { lanes(&mut got, &x, &w) };
                for (lane, (&sum, got)) in sums.iter().zip(got).enumerate() {
                    let pair = |of: &[bf16; 32]| [of[2 * lane], of[2 * lane + 1]];
                    let expected = dot(sum, pair(&x), pair(&w));
                    let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
                    assert!(same, "{sum:e} + {:?} * {:?}: {got:e}, expected {expected:e}", pair(&x), pair(&w));
                }
            }
        }
    }
}
