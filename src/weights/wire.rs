//! Protocol buffers' wire format, walked in place: a graph's constants are found without reading them.

use std::ops::Range;

use super::Parsed;
use super::cursor::Cursor;
use super::source::Source;

/// One field of a message.
pub(super) enum Field {
    /// A number, of whatever kind.
    Number(u64),
    /// Text, bytes or a message: where they lie.
    Bytes(Range<usize>),
}

/// The fields of a message in order.
pub(super) struct Fields<'a> {
    source: &'a Source,
    at: usize,
    end: usize,
}

impl<'a> Fields<'a> {
    /// Of the message that lies there.
    pub fn of(source: &'a Source, message: Range<usize>) -> Self {
        Fields { source, at: message.start, end: message.end }
    }

    /// The next field's number and value.
    pub fn next(&mut self) -> Parsed<Option<(u64, Field)>> {
        if self.at >= self.end {
            return Ok(None);
        }
        // The longest that stands before a field's bytes: two numbers of ten bytes.
        let mut ahead = [0; 20];
        let n = ahead.len().min(self.end - self.at);
        self.source.read_at(self.at, &mut ahead[..n])?;
        let mut cursor = Cursor::new(&ahead[..n]);
        let key = cursor.varint64()?;
        let value = match key & 7 {
            0 => Field::Number(cursor.varint64()?),
            1 => Field::Number(cursor.u64()?),
            5 => Field::Number(cursor.u32()?.into()),
            2 => {
                let len = cursor.varint()?;
                let at = self.at + cursor.at();
                let end = at.checked_add(len).filter(|&end| end <= self.end);
                let end = end.ok_or("is cut short: a field of its message reaches beyond it; fetch it again")?;
                self.at = end;
                return Ok(Some((to_field(key)?, Field::Bytes(at..end))));
            }
            other => return Err(format!("is damaged: a field of unknown kind {other}")),
        };
        self.at += cursor.at();
        Ok(Some((to_field(key)?, value)))
    }
}

/// A field's number from its key.
fn to_field(key: u64) -> Parsed<u64> {
    match key >> 3 {
        0 => Err("is damaged: a field without a number".into()),
        number => Ok(number),
    }
}

/// Packed numbers of variable length.
pub(super) fn numbers(source: &Source, range: Range<usize>) -> Parsed<Vec<i64>> {
    let bytes = source.bytes(range)?;
    let mut cursor = Cursor::new(&bytes);
    let mut numbers = Vec::new();
    while !cursor.is_at_end() {
        numbers.push(cursor.varint64()? as i64);
    }
    Ok(numbers)
}

/// Text of a message.
pub(super) fn text(source: &Source, range: Range<usize>) -> Parsed<String> {
    String::from_utf8(source.bytes(range)?).map_err(|_| "is damaged: a name is not UTF-8".into())
}
