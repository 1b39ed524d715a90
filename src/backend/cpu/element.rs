//! The types that values are stored in.

use bytemuck::Pod;
use half::bf16;

use super::vectorized::vectorized;

/// A type that values are stored in; sums are f32 whatever it is.
pub(super) trait Element: Pod + Default + Send + Sync {
    /// Values that one step of a sum takes at once: neighbouring channels.
    const STEP: usize;

    /// The value.
    fn widened(self) -> f32;

    /// The nearest value of the type; of two as near, the one whose last bit is zero.
    fn rounded(x: f32) -> Self;
}

impl Element for f32 {
    const STEP: usize = 1;

    #[inline(always)]
    fn widened(self) -> f32 {
        self
    }

    #[inline(always)]
    fn rounded(x: f32) -> f32 {
        x
    }
}

impl Element for bf16 {
    const STEP: usize = 2;

    #[inline(always)]
    fn widened(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    /// As `vcvtneps2bf16` does: values below the least normal one become zero.
    #[inline(always)]
    fn rounded(x: f32) -> bf16 {
        // Without branches, so that loops of it are vectorized.
        let bits = x.to_bits();
        let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
        let tiny = bits & 0x7f80_0000 == 0;
        let number = if tiny { bits >> 16 & 0x8000 } else { nearest };
        bf16::from_bits(if x.is_nan() { bits >> 16 | 0x40 } else { number } as u16)
    }
}

vectorized! {
    /// Widens as many values.
    pub fn widen(to: &mut [f32], from: &[bf16]) {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from.widened());
    }

    /// Rounds as many values.
    pub fn round(to: &mut [bf16], from: &[f32]) {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = bf16::rounded(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Isa;

    #[test]
    fn rounding_is_to_the_nearest_and_even() {
        for (x, bits) in [
            (1.0, 0x3f80),
            (1.0 + f32::powi(2.0, -8), 0x3f80),
            (1.0 + 3.0 * f32::powi(2.0, -8), 0x3f82),
            (1.0 + 1.01 * f32::powi(2.0, -8), 0x3f81),
            (-1.0 - 1.01 * f32::powi(2.0, -8), 0xbf81),
            (f32::MAX, 0x7f80),
            (f32::NEG_INFINITY, 0xff80),
            (f32::MIN_POSITIVE, 0x0080),
            (f32::from_bits(0x007f_ffff), 0x0000),
            (f32::from_bits(0x8000_0001), 0x8000),
            (-0.0, 0x8000),
        ] {
            assert_eq!(bf16::rounded(x).to_bits(), bits, "{x:e}");
        }
        // Whose payload would round away to infinity.
        assert!(bf16::rounded(f32::from_bits(0x7f80_0001)).is_nan());
        assert!(bf16::rounded(f32::NAN).is_nan() && bf16::rounded(-f32::NAN).is_nan());
    }

    #[test]
    fn what_is_widened_rounds_back() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let all: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
            let (mut wide, mut back) = (vec![0.0; all.len()], vec![bf16::ZERO; all.len()]);
            widen(isa, &mut wide, &all);
            round(isa, &mut back, &wide);
            for (&from, &to) in all.iter().zip(&back) {
                let flushed = if from.to_bits() & 0x7f80 == 0 { from.to_bits() & 0x8000 } else { from.to_bits() };
                assert!(to.to_bits() == flushed || from.is_nan() && to.is_nan(), "{isa}: {:x}", from.to_bits());
            }
        }
    }
}
