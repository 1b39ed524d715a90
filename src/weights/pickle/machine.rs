//! The stack machine: its memory, and what opcodes are made of.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Id, Value};
use crate::weights::Parsed;
use crate::weights::cursor::{Cursor, to_usize};

/// A pickle's program, and what it made so far.
pub(super) struct Machine<'a> {
    pub cursor: Cursor<'a>,
    pub values: Vec<Value<'a>>,
    pub stack: Vec<Id>,
    pub marks: Vec<usize>,
    pub memo: HashMap<usize, Id>,
    /// The state of dicts.
    pub attributes: HashMap<Id, Id>,
}

impl<'a> Machine<'a> {
    /// At the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        let cursor = Cursor::new(bytes);
        let (memo, attributes) = (HashMap::new(), HashMap::new());
        Machine { cursor, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo, attributes }
    }

    pub fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    pub fn top(&self) -> Parsed<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.last().copied().filter(|_| self.stack.len() > floor).ok_or_else(|| "is damaged: empty stack".into())
    }

    pub fn pop(&mut self) -> Parsed<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    pub fn pop_to_mark(&mut self) -> Parsed<Vec<Id>> {
        let mark = self.marks.pop().ok_or("is damaged: no mark on the stack")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    pub fn length32(&mut self) -> Parsed<usize> {
        self.cursor.u32().and_then(to_usize)
    }

    pub fn push_bytes(&mut self, n: usize) -> Parsed<()> {
        let bytes = self.cursor.take(n)?;
        self.push(Value::Bytes(Cow::Borrowed(bytes)));
        Ok(())
    }

    pub fn push_text(&mut self, bytes: &'a [u8]) -> Parsed<()> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is damaged: a name is not UTF-8")?;
        self.push(Value::Text(Cow::Borrowed(text)));
        Ok(())
    }

    pub fn push_decimal(&mut self, line: &[u8]) -> Parsed<()> {
        let n = decimal(line)?;
        self.push(Value::Int(n));
        Ok(())
    }

    /// A little-endian two's complement number of `n` bytes.
    pub fn push_long(&mut self, n: usize) -> Parsed<()> {
        let bytes = self.cursor.take(n)?;
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide.get_mut(..n).ok_or("holds an integer of more than 128 bits")?.copy_from_slice(bytes);
        self.push(Value::Int(i128::from_le_bytes(wide)));
        Ok(())
    }

    pub fn push_global(&mut self, name: String, allowed: &impl Fn(&str) -> bool) -> Parsed<()> {
        if !allowed(&name) {
            return Err(format!(
                "asks to call `{name}`, which is no part of weights and is not done: save only the tensors \
                 (PyTorch: the model's state_dict())"
            ));
        }
        self.push(Value::Global(name));
        Ok(())
    }

    pub fn call(&mut self, function: Id, arguments: Id) -> Parsed<()> {
        let Value::Global(name) = &self.values[function] else {
            return Err("is damaged: a call of what is no function".into());
        };
        if name == "collections.OrderedDict" {
            let pairs = match &self.values[arguments] {
                Value::Tuple(items) => match items.as_slice() {
                    [] => Vec::new(),
                    &[list] => self.pairs_of_list(list)?,
                    _ => return Err("is damaged: an ordered dict made of several things".into()),
                },
                _ => return Err("is damaged: a call without arguments".into()),
            };
            self.push(Value::Dict(pairs));
        } else {
            self.push(Value::Call { function, arguments, state: None });
        }
        Ok(())
    }

    /// `[[key, value], …]`, the argument of an ordered dict in older pickles.
    pub fn pairs_of_list(&self, list: Id) -> Parsed<Vec<(Id, Id)>> {
        let pair = |&id: &Id| match &self.values[id] {
            Value::List(items) | Value::Tuple(items) => match items.as_slice() {
                &[key, value] => Some((key, value)),
                _ => None,
            },
            _ => None,
        };
        match &self.values[list] {
            Value::List(items) => items.iter().map(pair).collect::<Option<_>>(),
            _ => None,
        }
        .ok_or_else(|| "is damaged: an ordered dict that is not made of pairs".into())
    }

    /// Appends to the list, or sets in the dict, on top of the stack.
    pub fn extend(&mut self, items: Vec<Id>) -> Parsed<()> {
        let target = self.top()?;
        match &mut self.values[target] {
            Value::List(list) => list.extend(items),
            Value::Dict(pairs) => pairs.extend(as_pairs(&items)?),
            _ => return Err("is damaged: items for what is neither list nor dict".into()),
        }
        Ok(())
    }

    pub fn memoize(&mut self, slot: usize) -> Parsed<()> {
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    pub fn recall(&mut self, slot: usize) -> Parsed<()> {
        let id = self.memo.get(&slot).ok_or("is damaged: it recalls what it never kept")?;
        self.stack.push(*id);
        Ok(())
    }
}

pub(super) fn as_pairs(items: &[Id]) -> Parsed<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("is damaged: a dict's key without a value".into());
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}

pub(super) fn decimal<T: std::str::FromStr>(line: &[u8]) -> Parsed<T> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| "is damaged: a number that is none".into())
}

/// Python's `raw-unicode-escape`, which protocol 0 writes text in: Latin-1, all else as `\uXXXX` or `\UXXXXXXXX`.
pub(super) fn raw_unicode(line: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = match after.first().filter(|_| byte == b'\\') {
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => 0,
        };
        if digits == 0 {
            text.push(char::from(byte));
            rest = after;
            continue;
        }
        let escape = std::str::from_utf8(after.get(1..1 + digits)?).ok()?;
        text.push(char::from_u32(u32::from_str_radix(escape, 16).ok()?)?);
        rest = &after[1 + digits..];
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::raw_unicode;

    #[test]
    fn text_of_protocol_0_is_latin_1_with_escapes() {
        for (line, text) in [
            (&b"conv1"[..], Some("conv1")),
            (b"\xe9\\u005cn\\u000a\\U0001f600", Some("\u{e9}\\n\n\u{1f600}")),
            (b"\\n", Some("\\n")),
            (b"\\u00", None),
            (b"\\ud800", None),
        ] {
            assert_eq!(raw_unicode(line).as_deref(), text);
        }
    }
}
