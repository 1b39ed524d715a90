//! The two ways in which Torch writes numbers and text: binary, as a machine has them, and ascii.

use super::super::Parsed;
use super::super::cursor::to_usize;
use super::super::dtype::{Dtype, Float};
use super::super::source::Source;

/// What a storage holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Float(Float),
    /// Of so many bytes.
    Integer(usize),
    /// As long as the machine's long.
    Long,
    /// Bytes, which are raw in both forms.
    Byte,
}

/// Elements where they lie.
pub(super) struct Storage {
    pub source: Source,
    pub at: usize,
    pub elements: usize,
    /// `None` for integers.
    pub dtype: Option<Dtype>,
}

/// A file, read from its start to its end.
pub(super) trait Input {
    fn int(&mut self) -> Parsed<i64>;
    fn long(&mut self) -> Parsed<i64>;
    fn double(&mut self) -> Parsed<f64>;
    /// So many characters.
    fn text(&mut self, n: usize) -> Parsed<Vec<u8>>;
    fn storage(&mut self, kind: Element, n: usize) -> Parsed<Storage>;
    /// How many bytes are left.
    fn left(&self) -> usize;
    /// Whether nothing follows but space.
    fn is_at_end(&mut self) -> bool;

    /// A number of things of so many bytes or more, so that what is allocated for them is there.
    fn length(&mut self, least: usize) -> Parsed<usize> {
        let n = self.int()?;
        self.checked(n, least)
    }

    fn checked(&self, n: i64, least: usize) -> Parsed<usize> {
        let (count, left) = (to_usize(n)?, self.left());
        match count.checked_mul(least).is_some_and(|bytes| bytes <= left) {
            true => Ok(count),
            false => Err(format!("it claims {count} elements where {left} bytes are left")),
        }
    }
}

/// Little-endian numbers; a long has 8 bytes, or 4 by a 32-bit Torch.
pub(super) struct Binary {
    source: Source,
    at: usize,
    long: usize,
}

impl Binary {
    pub fn new(source: &Source, long: usize) -> Self {
        Binary { source: source.clone(), at: 0, long }
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_at(self.at, &mut bytes)?;
        self.at += N;
        Ok(bytes)
    }
}

impl Input for Binary {
    fn int(&mut self) -> Parsed<i64> {
        self.array().map(i32::from_le_bytes).map(i64::from)
    }

    fn long(&mut self) -> Parsed<i64> {
        if self.long == 4 { self.int() } else { self.array().map(i64::from_le_bytes) }
    }

    fn double(&mut self) -> Parsed<f64> {
        self.array().map(f64::from_le_bytes)
    }

    fn text(&mut self, n: usize) -> Parsed<Vec<u8>> {
        let text = self.source.bytes(self.at..self.at.saturating_add(n))?;
        self.at += n;
        Ok(text)
    }

    fn storage(&mut self, kind: Element, n: usize) -> Parsed<Storage> {
        let (size, dtype) = match kind {
            Element::Float(float) => (Dtype::little(float).size(), Some(Dtype::little(float))),
            Element::Integer(size) => (size, None),
            Element::Long => (self.long, None),
            Element::Byte => (1, None),
        };
        let end = n.checked_mul(size).and_then(|bytes| self.at.checked_add(bytes));
        let end = end.filter(|&end| end <= self.source.len());
        let storage = Storage { source: self.source.clone(), at: self.at, elements: n, dtype };
        self.at = end.ok_or_else(|| format!("a storage of {n} elements is cut short"))?;
        Ok(storage)
    }

    fn left(&self) -> usize {
        self.source.len() - self.at
    }

    fn is_at_end(&mut self) -> bool {
        self.left() == 0
    }
}

/// Decimal numbers between spaces and newlines.
pub(super) struct Ascii {
    bytes: Vec<u8>,
    at: usize,
}

impl Ascii {
    pub fn new(bytes: Vec<u8>) -> Self {
        Ascii { bytes, at: 0 }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next word, and one character behind it.
    fn word(&mut self) -> Parsed<&str> {
        let space = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let start = self.at + space;
        let n = self.bytes[start..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        if n == 0 {
            return Err("it is cut short".into());
        }
        self.at = (start + n + 1).min(self.bytes.len());
        std::str::from_utf8(&self.bytes[start..start + n]).map_err(|_| format!("no number is at byte {start}"))
    }

    fn number<T: std::str::FromStr>(&mut self) -> Parsed<T> {
        let word = self.word()?;
        let shown = || word.chars().take(20).collect::<String>();
        word.parse().map_err(|_| format!("`{}` is no number", shown()))
    }
}

impl Input for Ascii {
    fn int(&mut self) -> Parsed<i64> {
        self.number()
    }

    fn long(&mut self) -> Parsed<i64> {
        self.number()
    }

    fn double(&mut self) -> Parsed<f64> {
        self.number()
    }

    /// As they are; then a newline, unless there are none.
    fn text(&mut self, n: usize) -> Parsed<Vec<u8>> {
        let text = self.rest().get(..n).ok_or("it is cut short")?.to_vec();
        self.at += n;
        if n > 0 && self.rest().first() == Some(&b'\n') {
            self.at += 1;
        }
        Ok(text)
    }

    fn storage(&mut self, kind: Element, n: usize) -> Parsed<Storage> {
        let none = |elements| Storage { source: Source::memory([]), at: 0, elements, dtype: None };
        match kind {
            Element::Byte => self.text(n).map(|_| none(n)),
            Element::Integer(_) | Element::Long => {
                (0..n).try_for_each(|_| self.long().map(drop))?;
                Ok(none(n))
            }
            Element::Float(_) => {
                self.checked(n as i64, 2)?;
                let mut bytes = Vec::with_capacity(4 * n);
                for _ in 0..n {
                    bytes.extend((self.number::<f64>()? as f32).to_le_bytes());
                }
                Ok(Storage { source: Source::memory(bytes), dtype: Some(Dtype::little(Float::F32)), ..none(n) })
            }
        }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn is_at_end(&mut self) -> bool {
        self.rest().iter().all(u8::is_ascii_whitespace)
    }
}
