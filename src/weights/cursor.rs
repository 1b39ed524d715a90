//! Reading foreign bytes in order, with every length checked.

use super::Parsed;

/// A position in a byte slice.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub fn take(&mut self, n: usize) -> Parsed<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| {
            format!("is cut short: {n} bytes are wanted at byte {}, of {}; fetch it again", self.at, self.bytes.len())
        })?;
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Parsed<u8> {
        self.array().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Parsed<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Parsed<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Parsed<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A little-endian 64-bit length.
    pub fn length(&mut self) -> Parsed<usize> {
        to_usize(self.u64()?)
    }

    /// A base-128 number that is a length.
    pub fn varint(&mut self) -> Parsed<usize> {
        to_usize(self.varint64()?)
    }

    /// A base-128 number, least significant group first.
    pub fn varint64(&mut self) -> Parsed<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(format!("is damaged: a number at byte {} does not end", self.at))
    }

    /// The bytes up to a newline, which is consumed and not returned.
    pub fn line(&mut self) -> Parsed<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let n = rest.iter().position(|&b| b == b'\n').ok_or("is cut short: a line does not end")?;
        let line = self.take(n)?;
        self.take(1)?;
        Ok(line)
    }
}

/// A length from a file as an index.
pub(super) fn to_usize(n: impl TryInto<usize>) -> Parsed<usize> {
    n.try_into().map_err(|_| "is damaged: a length is negative or beyond this machine's memory".to_owned())
}
