//! The few vector operations that register tiles are made of, for each instruction set.

use half::f16;

pub use super::isa::Isa;
use crate::ops::Activation;

/// A vector of f32 lanes.
pub(super) trait Simd: Copy {
    /// Elements of the vector.
    const LANES: usize;
    /// # Safety
    /// The instruction set is there; `from` is readable for [`Simd::LANES`] values.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// The instruction set is there.
    unsafe fn splat(x: f32) -> Self;
    /// `a * b + self`.
    /// # Safety
    /// The instruction set is there.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// # Safety
    /// The instruction set is there.
    unsafe fn add(self, other: Self) -> Self;
    /// # Safety
    /// The instruction set is there.
    unsafe fn sub(self, other: Self) -> Self;
    /// # Safety
    /// The instruction set is there.
    unsafe fn mul(self, other: Self) -> Self;
    /// # Safety
    /// The instruction set is there.
    unsafe fn max(self, other: Self) -> Self;
    /// # Safety
    /// The instruction set is there.
    unsafe fn min(self, other: Self) -> Self;
    /// A bit for each lane that is at most `other`'s, the first lane's the lowest; none where either is NaN.
    /// # Safety
    /// The instruction set is there.
    unsafe fn at_most(self, other: Self) -> u32;
    /// As [`Simd::load`], from halves.
    /// # Safety
    /// The instruction set is there; `from` is readable for [`Simd::LANES`] values.
    unsafe fn load_halves(from: *const f16) -> Self;
    /// # Safety
    /// The instruction set is there; `to` is writable for [`Simd::LANES`] values.
    unsafe fn store(self, to: *mut f32);
}

/// A half's value, without a branch where it is finite, so that loops of it are vectorized.
#[inline(always)]
fn widened(half: f16) -> f32 {
    // A half's bits, moved to f32's places, are its value times 2^-112, subnormal ones included.
    let bits = u32::from(half.to_bits());
    let finite = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    let whole = if bits & 0x7c00 == 0x7c00 { f32::from_bits((bits & 0x7fff) << 13 | 0x7f80_0000) } else { finite };
    f32::from_bits(whole.to_bits() | (bits & 0x8000) << 16)
}

/// Eight lanes in plain Rust, for the compiler to map to what there is.
#[derive(Clone, Copy)]
pub(super) struct Lanes8([f32; 8]);

impl Simd for Lanes8 {
    const LANES: usize = 8;
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: readable for 8 values, as the caller promises.
        Lanes8(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Lanes8([x; 8])
    }
    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        Lanes8(std::array::from_fn(|i| a.0[i] * b.0[i] + self.0[i]))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Lanes8(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Lanes8(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Lanes8(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        Lanes8(std::array::from_fn(|i| self.0[i].max(other.0[i])))
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Lanes8(std::array::from_fn(|i| self.0[i].min(other.0[i])))
    }
    #[inline(always)]
    unsafe fn at_most(self, other: Self) -> u32 {
        (0..8).fold(0, |bits, i| bits | u32::from(self.0[i] <= other.0[i]) << i)
    }
    #[inline(always)]
    unsafe fn load_halves(from: *const f16) -> Self {
        // SAFETY: readable for 8 values, as the caller promises.
        let halves = unsafe { from.cast::<[f16; 8]>().read_unaligned() };
        Lanes8(halves.map(widened))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: writable for 8 values, as the caller promises.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    macro_rules! simd {
        ($vector:ty, $lanes:literal, $load:ident, $splat:ident, $mul_add:ident, $add:ident, $sub:ident, $mul:ident, $max:ident, $min:ident, $store:ident, $at_most:ident, $halves:ident) => {
            impl super::Simd for $vector {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: as the caller promises; the instruction takes any alignment.
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn splat(x: f32) -> Self {
                    // SAFETY: as the caller promises.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                    // SAFETY: as the caller promises.
                    unsafe { $mul_add(a, b, self) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: as the caller promises.
                    unsafe { $add(self, other) }
                }
                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    // SAFETY: as the caller promises.
                    unsafe { $sub(self, other) }
                }
                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    // SAFETY: as the caller promises.
                    unsafe { $mul(self, other) }
                }
                #[inline(always)]
                unsafe fn max(self, other: Self) -> Self {
                    // SAFETY: as the caller promises.
                    unsafe { $max(self, other) }
                }
                #[inline(always)]
                unsafe fn min(self, other: Self) -> Self {
                    // SAFETY: as the caller promises.
                    unsafe { $min(self, other) }
                }
                #[inline(always)]
                unsafe fn at_most(self, other: Self) -> u32 {
                    // SAFETY: as the caller promises.
                    unsafe { $at_most(self, other) }
                }
                #[inline(always)]
                unsafe fn load_halves(from: *const half::f16) -> Self {
                    // SAFETY: as the caller promises; the instruction takes any alignment.
                    unsafe { $halves(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: as the caller promises; the instruction takes any alignment.
                    unsafe { $store(to, self) }
                }
            }
        };
    }

    // Functions, not closures: those are compiled without the instruction set unless they happen to be inlined.
    #[inline(always)]
    unsafe fn at_most_256(a: __m256, b: __m256) -> u32 {
        // SAFETY: the caller has the instruction set.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(a, b)) as u32 }
    }
    #[inline(always)]
    unsafe fn at_most_512(a: __m512, b: __m512) -> u32 {
        // SAFETY: the caller has the instruction set.
        unsafe { u32::from(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b)) }
    }
    #[inline(always)]
    unsafe fn halves_256(from: *const half::f16) -> __m256 {
        // SAFETY: the caller has the instruction set, and the values are readable.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn halves_512(from: *const half::f16) -> __m512 {
        // SAFETY: the caller has the instruction set, and the values are readable.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    simd!(
        __m256,
        8,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_max_ps,
        _mm256_min_ps,
        _mm256_storeu_ps,
        at_most_256,
        halves_256
    );
    simd!(
        __m512,
        16,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_max_ps,
        _mm512_min_ps,
        _mm512_storeu_ps,
        at_most_512,
        halves_512
    );
}

/// An activation of a vector of sums; `alpha` are a PReLU's slopes.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(super) unsafe fn activate<V: Simd>(activation: Activation, y: V, alpha: V) -> V {
    // SAFETY: as the caller promises.
    unsafe {
        let zero = V::splat(0.0);
        match activation {
            Activation::None => y,
            Activation::Relu => y.max(zero),
            Activation::PRelu => y.max(zero).mul_add(alpha, y.min(zero)),
        }
    }
}

/// Asks for the cache line that `at` lies in; nothing is read.
#[inline(always)]
pub(super) fn prefetch(at: *const f32) {
    prefetch_by::<READ>(at);
}

/// The same, for a line that will be written.
#[inline(always)]
pub(super) fn prefetch_for_write(at: *const f32) {
    prefetch_by::<WRITE>(at);
}

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_ET0 as WRITE, _MM_HINT_T0 as READ};
#[cfg(not(target_arch = "x86_64"))]
const READ: i32 = 0;
#[cfg(not(target_arch = "x86_64"))]
const WRITE: i32 = 1;

#[inline(always)]
fn prefetch_by<const HINT: i32>(at: *const f32) {
    // SAFETY: no address is invalid for it, and an x86-64 that lacks one of them does nothing instead.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_prefetch::<HINT>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Defines `by_isa`, which calls the module's `dispatch` with the vectors of an instruction set.
macro_rules! per_isa {
    ($tile:ident) => {
        /// # Safety
        /// The machine has `isa`; the rest as [`dispatch`].
        unsafe fn by_isa(isa: Isa, tile: $tile) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn avx2(tile: $tile) {
                // SAFETY: the caller's promises.
                unsafe { dispatch::<std::arch::x86_64::__m256>(tile) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            unsafe fn avx512(tile: $tile) {
                // SAFETY: the caller's promises.
                unsafe { dispatch::<std::arch::x86_64::__m512>(tile) }
            }

            // SAFETY: the caller's promises.
            unsafe {
                match isa {
                    Isa::Portable => dispatch::<$crate::backend::cpu::simd::Lanes8>(tile),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => avx2(tile),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 | Isa::Avx512Bf16 => avx512(tile),
                    #[cfg(not(target_arch = "x86_64"))]
                    _ => unreachable!("not available on this architecture"),
                }
            }
        }
    };
}

/// Defines `by_isa_bf16`, which runs `dispatch_bf16` with the vectors of one instruction set that takes values in bf16.
macro_rules! per_isa_bf16 {
    ($tile:ty) => {
        /// # Safety
        /// The machine has `isa`; the rest as [`dispatch_bf16`].
        unsafe fn by_isa_bf16(isa: Isa, tile: $tile) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bf16")]
            unsafe fn avx512bf16(tile: $tile) {
                // SAFETY: the caller's promises.
                unsafe { dispatch_bf16::<std::arch::x86_64::__m512>(tile) }
            }

            // SAFETY: the caller's promises.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512Bf16 => avx512bf16(tile),
                    Isa::Portable => dispatch_bf16::<$crate::backend::cpu::simd::Lanes8>(tile),
                    _ => unreachable!("graphs are not loaded in bf16 on {isa}"),
                }
            }
        }
    };
}

pub(super) use {per_isa, per_isa_bf16};
