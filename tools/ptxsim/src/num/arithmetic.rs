//! Multiplication and addition with one rounding.

use super::{Format, Rounding, Saturation};

/// `a * b + c` in `format`, rounded once.
///
/// A product of two values of at most 24 significant bits is exact in `f64`; the sum is made odd when inexact, so
/// that the rounding that follows sees on which side of every boundary the true value lies.
pub fn fma(format: Format, [a, b, c]: [u32; 3], rounding: Rounding, saturation: Saturation) -> u32 {
    let product = format.decode(a) * format.decode(b);
    let addend = format.decode(c);
    let sum = sum_to_odd(product, addend);
    // An exact zero from operands of opposite signs is negative only when rounding down.
    let sum = if sum == 0.0 && product.is_sign_negative() != addend.is_sign_negative() {
        if rounding == Rounding::Down { -0.0 } else { 0.0 }
    } else {
        sum
    };
    format.encode(sum, rounding, saturation)
}

/// `a + b` with the last bit set where the sum is inexact ("round to odd"): a second rounding to a format with at
/// least two bits less then gives what one rounding of the exact sum would.
///
/// Source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd".
pub fn sum_to_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    if !sum.is_finite() {
        return sum;
    }
    // Knuth's two-sum: the exact error of the addition.
    let shadow = sum - a;
    let error = (a - (sum - shadow)) + (b - shadow);
    if error == 0.0 || sum.to_bits() & 1 == 1 {
        return sum;
    }
    // The true value lies beside `sum`, towards the error's sign; both neighbours of an even code are odd.
    let outward = (error > 0.0) == (sum > 0.0);
    f64::from_bits(if outward { sum.to_bits() + 1 } else { sum.to_bits() - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exact in integers: every f16 is a multiple of 2^-24, every product one of 2^-48.
    fn exact(x: f64) -> i128 {
        (x * (1u64 << 48) as f64) as i128
    }

    #[test]
    fn f16_fma_is_rounded_once() {
        let mut state = 7u64;
        let mut inexact = 0;
        for _ in 0..300_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let [a, b, c] = [state >> 48, state >> 32 & 0xffff, state >> 16 & 0xffff].map(|x| x as u32);
            let [x, y, z] = [a, b, c].map(|v| Format::F16.decode(v));
            if !(x.is_finite() && y.is_finite() && z.is_finite()) {
                continue;
            }
            let want = exact(x * y) + exact(z);
            let got = Format::F16.decode(fma(Format::F16, [a, b, c], Rounding::NearestEven, Saturation::default()));
            if !got.is_finite() {
                assert!(want.abs() >= exact(65520.0));
                continue;
            }
            let distance = (exact(got) - want).abs();
            inexact += i32::from(distance != 0);
            for rounding in [Rounding::Down, Rounding::Up] {
                let other = Format::F16.decode(fma(Format::F16, [a, b, c], rounding, Saturation::default()));
                assert!(!other.is_finite() || (exact(other) - want).abs() >= distance);
                assert!(
                    !other.is_finite()
                        || (exact(other) <= want) == (rounding == Rounding::Down)
                        || exact(other) == want
                );
            }
        }
        assert!(inexact > 100_000);
    }

    #[test]
    fn a_double_rounding_that_would_show() {
        // 1 + 2^-11 is a tie of f16; the tiny rest, lost in f64, must still decide it.
        let product = [Format::F16, Format::BF16].map(|format| {
            let bits = |x| format.encode(x, Rounding::NearestEven, Saturation::default());
            let (tie, one) = if format == Format::F16 { (2f64.powi(-11), 1.0) } else { (2f64.powi(-8), 1.0) };
            let tiny = sum_to_odd(one + tie, 2f64.powi(-60));
            assert_ne!(tiny, one + tie);
            format.encode(tiny, Rounding::NearestEven, Saturation::default()) - bits(one)
        });
        assert_eq!(product, [1, 1]);
    }

    #[test]
    fn zero_signs() {
        let one = 0x3c00;
        let minus_one = 0xbc00;
        let run = |rounding| fma(Format::F16, [one, one, minus_one], rounding, Saturation::default());
        assert_eq!(run(Rounding::NearestEven), 0);
        assert_eq!(run(Rounding::Down), 0x8000);
        assert_eq!(fma(Format::F16, [0x8000, one, 0x8000], Rounding::NearestEven, Saturation::default()), 0x8000);
    }
}
