//! What single lanes compute.

use half::{bf16, f16};

/// NaNs become the one that PTX's f32 instructions give.
#[inline(always)]
pub fn canonical(x: f32) -> f32 {
    if x.is_nan() { f32::from_bits(0x7fff_ffff) } else { x }
}

/// The lesser number; a NaN loses against any number, and -0 is less than +0.
#[inline(always)]
pub fn min_number(a: f32, b: f32) -> f32 {
    let less = if a == b {
        f32::from_bits(a.to_bits() | b.to_bits())
    } else if a < b {
        a
    } else {
        b
    };
    if b.is_nan() {
        canonical(a)
    } else if a.is_nan() {
        b
    } else {
        less
    }
}

/// The greater number; a NaN loses against any number, and +0 is greater than -0.
#[inline(always)]
pub fn max_number(a: f32, b: f32) -> f32 {
    let more = if a == b {
        f32::from_bits(a.to_bits() & b.to_bits())
    } else if a > b {
        a
    } else {
        b
    };
    if b.is_nan() {
        canonical(a)
    } else if a.is_nan() {
        b
    } else {
        more
    }
}

/// As [`min_number`].
#[inline(always)]
pub fn min_number64(a: f64, b: f64) -> f64 {
    if a == b {
        return f64::from_bits(a.to_bits() | b.to_bits());
    }
    if b.is_nan() || a < b { a } else { b }
}

/// A 16-bit floating-point format.
pub trait Half: Copy {
    /// Exact.
    fn wide(self) -> f32;
    /// To nearest, ties to even; NaNs become the format's canonical one.
    fn narrow(x: f32) -> Self;
    /// The same from f64, in one rounding.
    fn narrow64(x: f64) -> Self;
}

impl Half for f16 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self.to_f32()
    }
    fn narrow(x: f32) -> Self {
        if x.is_nan() { Self::from_bits(0x7fff) } else { Self::from_f32(x) }
    }
    fn narrow64(x: f64) -> Self {
        Self::narrow(to_odd(x))
    }
}

impl Half for bf16 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self.to_f32()
    }
    fn narrow(x: f32) -> Self {
        if x.is_nan() { Self::from_bits(0x7fff) } else { Self::from_f32(x) }
    }
    fn narrow64(x: f64) -> Self {
        Self::narrow(to_odd(x))
    }
}

/// f64 to f32 rounded to odd: a later rounding to a narrower format is then the only one.
pub fn to_odd(x: f64) -> f32 {
    let near = x as f32;
    if x.is_nan() || f64::from(near) == x {
        return near;
    }
    let toward_zero = toward_zero(near, f64::from(near).abs() > x.abs());
    f32::from_bits(toward_zero.to_bits() | 1)
}

fn toward_zero(near: f32, beyond: bool) -> f32 {
    if beyond { f32::from_bits(near.to_bits() - 1) } else { near }
}

/// An operation in f32, exact or nearly so, rounded to the format.
#[inline(always)]
pub fn half_op<H: Half>(a: H, b: H, f: impl Fn(f32, f32) -> f32) -> H {
    H::narrow(f(a.wide(), b.wide()))
}

/// `a * b + c` rounded once: the product is exact in f64, and so is every sum whose rounding to the format is a close call.
#[inline(always)]
pub fn half_fma<H: Half>(a: H, b: H, c: H) -> H {
    H::narrow64(f64::from(a.wide()) * f64::from(b.wide()) + f64::from(c.wide()))
}

/// Negative numbers become zero; NaN stays.
#[inline(always)]
pub fn half_relu<H: Half>(a: H) -> H {
    let x = a.wide();
    H::narrow(if x.is_nan() { x } else { max_number(x, 0.0) })
}

/// Both halves of a packed pair.
#[inline(always)]
pub fn pair<T>(f: impl Fn(usize) -> T) -> [T; 2] {
    [f(0), f(1)]
}

/// An operation on the lower and the upper halves.
#[inline(always)]
pub fn halves(a: u32, b: u32, f: impl Fn(u16, u16) -> u16) -> u32 {
    u32::from(f(a as u16, b as u16)) | u32::from(f((a >> 16) as u16, (b >> 16) as u16)) << 16
}

/// `b` above `a`.
#[inline(always)]
pub fn wide(a: u32, b: u32) -> u64 {
    u64::from(b) << 32 | u64::from(a)
}

/// The sum of the four byte products and `c`.
#[inline(always)]
pub fn dp4a(a: u32, b: u32, c: u32, signed_a: bool, signed_b: bool) -> u32 {
    let byte = |x: u32, i: u32, signed: bool| {
        let v = x >> (8 * i) & 0xff;
        if signed { i32::from(v as u8 as i8) } else { v as i32 }
    };
    (0..4).fold(c, |sum, i| sum.wrapping_add((byte(a, i, signed_a) * byte(b, i, signed_b)) as u32))
}

/// The highest bit set, or how far it is from the top; all ones for none.
#[inline(always)]
pub fn bfind(a: u64, bits: u32, shift: bool) -> u32 {
    let high = 63u32.wrapping_sub(a.leading_zeros());
    if a == 0 {
        u32::MAX
    } else if shift {
        bits - 1 - high
    } else {
        high
    }
}

/// `len` bits of `a` from `pos`, widened by the sign bit of the field.
#[inline(always)]
pub fn bfe(a: u64, pos: u32, len: u32, bits: u32, signed: bool) -> u64 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    let sign_at = (pos + len).saturating_sub(1).min(bits - 1);
    let sign = if signed && len > 0 { a >> sign_at & 1 } else { 0 };
    let field = if pos >= bits { 0 } else { a >> pos };
    let have = len.min(bits.saturating_sub(pos));
    let keep = if have >= 64 { u64::MAX } else { (1 << have) - 1 };
    let fill = if sign == 1 { !keep } else { 0 };
    field & keep | fill
}

/// `b` with `len` bits from `pos` replaced by those of `a`.
#[inline(always)]
pub fn bfi(a: u64, b: u64, pos: u32, len: u32, bits: u32) -> u64 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    if pos >= bits || len == 0 {
        return b;
    }
    let mask = (if len >= 64 { u64::MAX } else { (1 << len) - 1 }) << pos;
    a << pos & mask | b & !mask
}

/// The three-input logic function whose truth table is `table`.
#[inline(always)]
pub fn lop3(a: u32, b: u32, c: u32, table: u32) -> u32 {
    let mut out = 0;
    for row in 0..8 {
        let pick = 0u32.wrapping_sub(table >> row & 1);
        let a = if row & 4 != 0 { a } else { !a };
        let b = if row & 2 != 0 { b } else { !b };
        let c = if row & 1 != 0 { c } else { !c };
        out |= pick & a & b & c;
    }
    out
}

/// Four bytes chosen from the eight of `b:a`; bit 3 of a choice repeats the byte's sign.
#[inline(always)]
pub fn prmt(a: u32, b: u32, choice: u32) -> u32 {
    let all = wide(a, b);
    let mut out = 0;
    for i in 0..4 {
        let pick = choice >> (4 * i) & 0xf;
        let byte = (all >> (8 * (pick & 7))) as u32 & 0xff;
        let byte = if pick & 8 != 0 { 0u32.wrapping_sub(byte >> 7) & 0xff } else { byte };
        out |= byte << (8 * i);
    }
    out
}
