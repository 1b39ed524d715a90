//! Two values in one register: `cvt.rn.f16x2.f32 d, a, b` puts `a` into the upper half and `b` into the lower.

use super::{Format, Rounding, Saturation};

macro_rules! packers {
    ($($(#[$doc:meta])* $name:ident: $format:ident, $bits:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(high: f32, low: f32, rounding: Rounding, saturation: Saturation) -> u32 {
            let encode = |x| Format::$format.encode(f64::from(x), rounding, saturation);
            encode(high) << $bits | encode(low)
        }
    )*};
}

packers! {
    /// Two f16 in 32 bits.
    pack_f16x2: F16, 16;
    /// Two bf16 in 32 bits.
    pack_bf16x2: BF16, 16;
    /// Two e4m3 in 16 bits.
    pack_e4m3x2: E4M3, 8;
    /// Two e5m2 in 16 bits.
    pack_e5m2x2: E5M2, 8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_operand_is_the_upper_half() {
        let (mode, plain) = (Rounding::NearestEven, Saturation::default());
        assert_eq!(pack_f16x2(1.0, -2.0, mode, plain), 0x3c00_c000);
        assert_eq!(pack_bf16x2(1.0, -2.0, mode, plain), 0x3f80_c000);
        assert_eq!(pack_e4m3x2(1.0, -2.0, mode, plain), 0x38c0);
        assert_eq!(pack_e5m2x2(1.0, -2.0, mode, plain), 0x3cc0);
    }
}
