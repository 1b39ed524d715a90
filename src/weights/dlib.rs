//! dlib's own form of numbers (`dlib/serialize.h`), in which its models are written.
//!
//! An integer is a control byte (how many bytes follow; its highest bit is the sign) and so many bytes, least significant
//! first. A float is two integers, mantissa and exponent of two. A list is its length and its elements; a matrix its
//! extents, negated, and its elements row by row.

use super::Parsed;
use super::cursor::{Cursor, to_usize};

/// The exponent that stands for infinity; the next two for minus infinity and for no number.
const INFINITE: i64 = 32_000;

/// dlib's numbers, one after the other.
pub(super) struct Numbers<'a> {
    cursor: Cursor<'a>,
    length: usize,
}

impl<'a> Numbers<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Numbers { cursor: Cursor::new(bytes), length: bytes.len() }
    }

    pub fn is_at_end(&self) -> bool {
        self.cursor.is_at_end()
    }

    pub fn integer(&mut self) -> Parsed<i64> {
        let at = self.cursor.at();
        let control = self.cursor.u8()?;
        let size = usize::from(control & 0x0f);
        if control & 0x70 != 0 || !(1..=8).contains(&size) {
            return Err(format!("{control:#04x} at byte {at} begins no number of dlib's"));
        }
        let bytes = self.cursor.take(size)?;
        let value = bytes.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        let value = i64::try_from(value).map_err(|_| format!("a number at byte {at} is too large"))?;
        Ok(if control & 0x80 == 0 { value } else { -value })
    }

    /// An index or a count.
    pub fn whole(&mut self) -> Parsed<usize> {
        to_usize(self.integer()?)
    }

    /// A finite f32.
    pub fn float(&mut self) -> Parsed<f32> {
        let at = self.cursor.at();
        let (mantissa, exponent) = (self.integer()?, self.integer()?);
        if exponent >= INFINITE {
            return Err(format!("a number at byte {at} is infinite or none"));
        }
        // A mantissa of 24 bits is exact in f64, and so is its product with a power of two in an f32's range.
        let scale = i32::try_from(exponent.clamp(-300, 300)).unwrap_or(0);
        let value = (mantissa as f64 * 2f64.powi(scale)) as f32;
        if value.is_finite() { Ok(value) } else { Err(format!("a number at byte {at} is larger than any f32")) }
    }

    /// The length of a list whose elements have `least` bytes or more, so that what is allocated for it is there.
    pub fn length(&mut self, least: usize) -> Parsed<usize> {
        let at = self.cursor.at();
        let n = self.whole()?;
        let left = self.length - self.cursor.at();
        match n.checked_mul(least).is_some_and(|bytes| bytes <= left) {
            true => Ok(n),
            false => Err(format!("a list at byte {at} claims {n} elements, and {left} bytes are left")),
        }
    }

    /// The extents of a column of numbers.
    pub fn column(&mut self) -> Parsed<usize> {
        let at = self.cursor.at();
        match (self.integer()?, self.integer()?) {
            (rows @ ..=0, -1) => to_usize(-rows),
            (rows, columns) => Err(format!("a matrix at byte {at} is no column: {rows} by {columns}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_dlib_writes_them() {
        let bytes = [0x01, 0x0a, 0x81, 0x0a, 0x02, 0x5a, 0x01, 0x03, 0x6e, 0xb8, 0xc6, 0x81, 0x18];
        let mut numbers = Numbers::new(&bytes);
        assert_eq!([numbers.integer().unwrap(), numbers.integer().unwrap()], [10, -10]);
        assert_eq!(numbers.whole().unwrap(), 0x15a);
        assert_eq!(numbers.float().unwrap(), 13_023_342.0 / 16_777_216.0);
        assert!(numbers.is_at_end());
    }

    #[test]
    fn what_is_no_number_is_told() {
        let error = |bytes: &[u8], read: fn(&mut Numbers) -> Parsed<f32>| read(&mut Numbers::new(bytes)).unwrap_err();
        assert!(error(b"0", |n| n.float()).contains("begins no number"));
        assert!(error(&[0], |n| n.float()).contains("begins no number"));
        assert!(error(&[9], |n| n.float()).contains("begins no number"));
        assert!(error(&[2, 1], |n| n.float()).contains("cut short"));
        assert!(error(&[1, 1, 2, 0x02, 0x7d], |n| n.float()).contains("infinite or none"));
        assert!(error(&[1, 1, 2, 0x2c, 0x01], |n| n.float()).contains("larger than any f32"));
        assert!(error(&[8, 255, 255, 255, 255, 255, 255, 255, 255], |n| n.float()).contains("too large"));
        assert!(error(&[0x81, 1], |n| n.whole().map(|_| 0.0)).contains("negative"));
        assert!(error(&[4, 255, 255, 255, 127], |n| n.length(2).map(|_| 0.0)).contains("claims 2147483647"));
        assert!(error(&[1, 2, 0x81, 1], |n| n.column().map(|_| 0.0)).contains("no column"));
    }
}
