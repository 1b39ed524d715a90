//! Integers to narrow formats and back.

use super::{Format, Rounding, Saturation, sum_to_odd};

/// An integer of at most 64 bits, rounded once.
pub fn from_integer(format: Format, x: i128, rounding: Rounding, saturation: Saturation) -> u32 {
    // The two halves are exact in f64; their sum keeps its inexactness in the last bit.
    let high = (x >> 32) as f64 * 4_294_967_296.0;
    let low = (x & 0xffff_ffff) as f64;
    format.encode(sum_to_odd(high, low), rounding, saturation)
}

/// `cvt.rni` and its kin: a value to the nearest integer by `rounding`, clamped to `[low, high]`; NaN becomes 0,
/// except for 64-bit results, where the hardware gives 2^63, and signed or unsigned make no difference.
pub fn to_integer(x: f64, rounding: Rounding, low: i128, high: i128) -> i128 {
    if x.is_nan() {
        return if high > i128::from(u32::MAX) { 1 << 63 } else { 0 };
    }
    let rounded = match rounding {
        Rounding::NearestEven => x.round_ties_even(),
        Rounding::NearestAway => x.round(),
        Rounding::Zero => x.trunc(),
        Rounding::Down => x.floor(),
        Rounding::Up => x.ceil(),
    };
    (rounded as i128).clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_once() {
        let bf16 = |x| from_integer(Format::BF16, x, Rounding::NearestEven, Saturation::default());
        let step = 1i128 << 55;
        // 2^62 + half a step is a tie that goes to even; one more tips it, though f64 cannot hold the one.
        assert_eq!(bf16((1 << 62) + step / 2), 0x5e80);
        assert_eq!(bf16((1 << 62) + step / 2 + 1), 0x5e81);
        assert_eq!(bf16(-(1 << 62) - step / 2 - 1), 0xde81);
        assert_eq!(from_integer(Format::F16, 65520, Rounding::NearestEven, Saturation::default()), 0x7c00);
        assert_eq!(from_integer(Format::F16, -2049, Rounding::Zero, Saturation::default()), 0xe800);
        assert_eq!(from_integer(Format::F16, 0, Rounding::Up, Saturation::default()), 0);
    }

    #[test]
    fn back_to_integers() {
        assert_eq!(to_integer(2.5, Rounding::NearestEven, -128, 127), 2);
        assert_eq!(to_integer(-2.5, Rounding::Down, -128, 127), -3);
        assert_eq!(to_integer(f64::INFINITY, Rounding::Zero, -128, 127), 127);
        assert_eq!(to_integer(f64::NAN, Rounding::Zero, -128, 127), 0);
    }
}
