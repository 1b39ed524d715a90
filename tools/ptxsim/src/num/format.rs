//! One encoder and one decoder for every binary floating-point format PTX names.
//!
//! Source: PTX ISA, "Fundamental Types", "Alternate Floating-Point Data Formats" and the `cvt` instruction.

/// How a value between two representable ones is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// `.rn`: to nearest, ties to even.
    NearestEven,
    /// `.rna`: to nearest, ties away from zero.
    NearestAway,
    /// `.rz`: towards zero.
    Zero,
    /// `.rm`: towards minus infinity.
    Down,
    /// `.rp`: towards plus infinity.
    Up,
}

/// What a conversion does with values that the result should not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Saturation {
    /// `.relu`: negative values become +0; NaN stays NaN.
    pub relu: bool,
    /// `.satfinite`: values too large become the largest finite one of their sign; NaN stays NaN.
    pub finite: bool,
    /// `.sat`: the result is clamped to [0, 1]; NaN becomes +0.
    pub unit: bool,
    /// `.ftz`: a subnormal result becomes zero of its sign.
    pub flush: bool,
}

/// A binary floating-point format of at most 32 bits, sign first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    exponent_bits: u32,
    mantissa_bits: u32,
    /// Unused low bits of the container: tf32 fills the top 19 bits of 32.
    padding_bits: u32,
    /// e4m3 spends the codes of infinity on finite values; only the all-ones code is NaN.
    has_infinity: bool,
    /// The NaN that instructions produce.
    nan: u32,
}

impl Format {
    pub const F32: Self = Self::ieee(8, 23, 0, 0x7fff_ffff);
    pub const F16: Self = Self::ieee(5, 10, 0, 0x7fff);
    pub const BF16: Self = Self::ieee(8, 7, 0, 0x7fff);
    pub const TF32: Self = Self::ieee(8, 10, 13, 0x7fff_ffff);
    pub const E5M2: Self = Self::ieee(5, 2, 0, 0x7f);
    pub const E4M3: Self = Self { has_infinity: false, ..Self::ieee(4, 3, 0, 0x7f) };

    const fn ieee(exponent_bits: u32, mantissa_bits: u32, padding_bits: u32, nan: u32) -> Self {
        Self { exponent_bits, mantissa_bits, padding_bits, has_infinity: true, nan }
    }

    const fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    const fn sign_shift(self) -> u32 {
        self.exponent_bits + self.mantissa_bits
    }

    /// The code of infinity, or of the first value past the largest where the format has none (e4m3's NaN).
    const fn overflow_code(self) -> u32 {
        let ones = (1 << self.exponent_bits) - 1;
        if self.has_infinity { ones << self.mantissa_bits } else { (1 << self.sign_shift()) - 1 }
    }

    /// The value of `bits`. Padding bits are ignored, as the hardware ignores them in tf32.
    pub fn decode(self, bits: u32) -> f64 {
        let bits = bits >> self.padding_bits;
        let mantissa = bits & ((1 << self.mantissa_bits) - 1);
        let exponent = (bits >> self.mantissa_bits) & ((1 << self.exponent_bits) - 1);
        let negative = bits >> self.sign_shift() & 1 == 1;
        let code = bits & ((1 << self.sign_shift()) - 1);
        let magnitude = if code > self.overflow_code() || (code == self.overflow_code() && !self.has_infinity) {
            f64::NAN
        } else if code == self.overflow_code() {
            f64::INFINITY
        } else if exponent == 0 {
            f64::from(mantissa) * exp2(1 - self.bias() - self.mantissa_bits as i32)
        } else {
            f64::from(mantissa | 1 << self.mantissa_bits)
                * exp2(exponent as i32 - self.bias() - self.mantissa_bits as i32)
        };
        if negative { -magnitude } else { magnitude }
    }

    /// Rounds `x` once into the format.
    pub fn encode(self, x: f64, rounding: Rounding, saturation: Saturation) -> u32 {
        if x.is_nan() {
            return if saturation.unit { 0 } else { self.nan };
        }
        let x = match saturation {
            Saturation { unit: true, .. } => x.clamp(0.0, 1.0) + 0.0,
            Saturation { relu: true, .. } if x <= 0.0 => 0.0,
            _ => x,
        };
        let code = self.round_magnitude(x, rounding);
        let overflow = self.overflow_code();
        let code = if code >= overflow && (saturation.finite || (!self.has_infinity && x.is_finite())) {
            overflow - 1
        } else {
            code.min(overflow)
        };
        let code = if saturation.flush && code < 1 << self.mantissa_bits { 0 } else { code };
        (u32::from(x.is_sign_negative()) << self.sign_shift() | code) << self.padding_bits
    }

    /// The code of |x|: codes of one sign are ordered as their values are, so rounding up is adding one.
    fn round_magnitude(self, x: f64, rounding: Rounding) -> u32 {
        if x.is_infinite() {
            return self.overflow_code();
        }
        if x == 0.0 {
            return 0;
        }
        let bits = x.to_bits() & !(1 << 63);
        let exponent = ((bits >> 52) as i32 - 1023).max(-1022);
        let significand = if bits >> 52 == 0 { bits } else { bits & ((1 << 52) - 1) | 1 << 52 };
        // The exponent of the result's last place; below the normal range it stops falling.
        let lowest = 1 - self.bias();
        let drop = 52 - self.mantissa_bits as i32 + (lowest - exponent).max(0);
        let (kept, rest, half) = if drop > 62 {
            (0, 1, 2)
        } else {
            (significand >> drop, significand & ((1 << drop) - 1), 1u64 << (drop - 1))
        };
        let up = match rounding {
            Rounding::NearestEven => rest > half || (rest == half && kept & 1 == 1),
            Rounding::NearestAway => rest >= half,
            Rounding::Zero => false,
            Rounding::Down => rest > 0 && x < 0.0,
            Rounding::Up => rest > 0 && x > 0.0,
        };
        // A normal significand carries its leading one into the exponent field: hence the field less one.
        let field = (exponent.max(lowest) + self.bias() - 1) as u64;
        let code = (field << self.mantissa_bits) + kept + u64::from(up);
        // Rounding that never leaves the finite range stops at the largest finite value.
        let overflow = u64::from(self.overflow_code());
        let stays = match rounding {
            Rounding::NearestEven | Rounding::NearestAway => false,
            Rounding::Zero => true,
            Rounding::Down => x > 0.0,
            Rounding::Up => x < 0.0,
        };
        if code >= overflow && stays { (overflow - 1) as u32 } else { code.min(overflow) as u32 }
    }
}

/// 2^e for -1022 <= e <= 1023.
fn exp2(e: i32) -> f64 {
    f64::from_bits(((e + 1023) as u64) << 52)
}

/// The value of an f16, exactly. Branch-free, so that loops over fragments vectorise.
#[inline(always)]
pub fn f16_to_f32(bits: u16) -> f32 {
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    let bits = u32::from(bits);
    let magnitude = bits & 0x7fff;
    // Shifted into place, f16's exponent is 112 too small; a multiplication mends it, subnormals included.
    let value = f32::from_bits(magnitude << 13) * REBIAS;
    let special = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(value.to_bits() | special | (bits & 0x8000) << 16)
}

/// The value of a bf16, exactly: it is the upper half of an f32.
#[inline(always)]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The value that a tensor core reads from a 32-bit register as tf32: the low 13 bits do not take part.
#[inline(always)]
pub fn tf32_to_f32(bits: u32) -> f32 {
    f32::from_bits(bits & !0x1fff)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [Rounding; 5] =
        [Rounding::NearestEven, Rounding::NearestAway, Rounding::Zero, Rounding::Down, Rounding::Up];

    fn plain(format: Format, x: f64, rounding: Rounding) -> u32 {
        format.encode(x, rounding, Saturation::default())
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for (format, bits) in [(Format::F16, 16), (Format::BF16, 16), (Format::E5M2, 8), (Format::E4M3, 8)] {
            for code in 0..1u32 << bits {
                let x = format.decode(code);
                for rounding in MODES {
                    let back = plain(format, x, rounding);
                    assert!(if x.is_nan() { back == format.nan } else { back == code }, "{format:?} {code:#x}");
                }
            }
        }
    }

    #[test]
    fn decoders_agree() {
        for code in 0..=u16::MAX {
            for (fast, slow) in [
                (f16_to_f32(code), Format::F16.decode(u32::from(code))),
                (bf16_to_f32(code), Format::BF16.decode(u32::from(code))),
            ] {
                assert!(f64::from(fast).to_bits() == slow.to_bits() || (fast.is_nan() && slow.is_nan()), "{code:#x}");
            }
        }
        for x in [1.0f32, -2.7, 1e-40, f32::MAX, f32::INFINITY] {
            assert_eq!(f64::from(tf32_to_f32(x.to_bits())), Format::TF32.decode(x.to_bits()));
        }
    }

    /// The definition of each mode, by searching among neighbouring codes rather than by shifting bits.
    #[test]
    fn rounding_picks_the_right_neighbour() {
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let exponent = (state >> 58) as i32 - 36;
            let x = (f64::from((state >> 20) as u32) / f64::from(u32::MAX) + 1.0) * exp2(exponent);
            let x = if state & 1 == 1 { -x } else { x };
            for (format, max) in [(Format::F16, 0x7bff), (Format::E4M3, 0x7e), (Format::E5M2, 0x7b)] {
                // The largest code whose magnitude is not above |x|.
                let (mut below, mut above) = (0u32, max);
                if x.abs() >= format.decode(max) {
                    continue;
                }
                while above - below > 1 {
                    let middle = (above + below) / 2;
                    if format.decode(middle) <= x.abs() { below = middle } else { above = middle }
                }
                let (low, high) = (x.abs() - format.decode(below), format.decode(above) - x.abs());
                let nearest = |tie: u32| {
                    if low < high {
                        below
                    } else if low > high {
                        above
                    } else {
                        tie
                    }
                };
                let even = if below % 2 == 0 { below } else { above };
                let sign = if x < 0.0 { 1 << format.sign_shift() } else { 0 };
                let outward = if low == 0.0 { below } else { above };
                for (rounding, want) in [
                    (Rounding::NearestEven, nearest(even)),
                    (Rounding::NearestAway, nearest(above)),
                    (Rounding::Zero, below),
                    (Rounding::Down, if x < 0.0 { outward } else { below }),
                    (Rounding::Up, if x > 0.0 { outward } else { below }),
                ] {
                    assert_eq!(plain(format, x, rounding), sign | want, "{format:?} {x:e} {rounding:?}");
                }
            }
        }
    }

    #[test]
    fn overflow_follows_the_rounding_mode() {
        let big = 1e30;
        for (rounding, positive, negative) in [
            (Rounding::NearestEven, 0x7c00, 0xfc00),
            (Rounding::NearestAway, 0x7c00, 0xfc00),
            (Rounding::Zero, 0x7bff, 0xfbff),
            (Rounding::Down, 0x7bff, 0xfc00),
            (Rounding::Up, 0x7c00, 0xfbff),
        ] {
            assert_eq!(plain(Format::F16, big, rounding), positive);
            assert_eq!(plain(Format::F16, -big, rounding), negative);
        }
        // 65520 is half-way between the largest f16 and the first that it has not.
        assert_eq!(plain(Format::F16, 65519.99, Rounding::NearestEven), 0x7bff);
        assert_eq!(plain(Format::F16, 65520.0, Rounding::NearestEven), 0x7c00);
    }

    #[test]
    fn saturation() {
        let with = |saturation, x| Format::F16.encode(x, Rounding::NearestEven, saturation);
        let finite = Saturation { finite: true, ..Default::default() };
        let relu = Saturation { relu: true, ..Default::default() };
        let unit = Saturation { unit: true, ..Default::default() };
        let flush = Saturation { flush: true, ..Default::default() };
        assert_eq!(with(finite, 1e9), 0x7bff);
        assert_eq!(with(finite, f64::NEG_INFINITY), 0xfbff);
        assert_eq!(with(finite, f64::NAN), 0x7fff);
        assert_eq!(with(relu, -2.0), 0);
        assert_eq!(with(relu, -0.0), 0);
        assert_eq!(with(relu, f64::NAN), 0x7fff);
        assert_eq!(with(unit, 7.0), 0x3c00);
        assert_eq!(with(unit, -0.0), 0);
        assert_eq!(with(unit, f64::NAN), 0);
        assert_eq!(with(flush, -1e-6), 0x8000);
        assert_eq!(with(Saturation::default(), -1e-6), 0x8011);
        assert_eq!(Format::E4M3.encode(1e9, Rounding::NearestEven, finite), 0x7e);
    }

    #[test]
    fn f32_and_tf32_agree_with_the_hardware() {
        for x in [1.0f64, 1.0 + 1e-9, 3.4e38, 1e-45, 1.2e-42, -7.7e-3, 1e39, 0.1] {
            assert_eq!(plain(Format::F32, x, Rounding::NearestEven), (x as f32).to_bits(), "{x:e}");
        }
        // 1 + 2^-11 lies half-way between two tf32 values.
        let tie = 1.0 + exp2(-11);
        assert_eq!(plain(Format::TF32, tie, Rounding::NearestAway), 0x3f80_2000);
        assert_eq!(plain(Format::TF32, tie, Rounding::NearestEven), 0x3f80_0000);
    }
}
