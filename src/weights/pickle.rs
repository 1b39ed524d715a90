//! Pickles as data.
//!
//! A pickle is a program for a small stack machine. This one builds a tree of [`Value`]s and never calls anything:
//! what would be a call stays a [`Value::Call`] for the reader to interpret, and a global that the reader does not
//! list is refused by name. Opcodes are those of Python's `pickletools`, protocols 0 to 5.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Parsed;
use super::cursor::Cursor;

/// A value's place in its [`Pickle`]; a place may be shared, or even contain itself.
pub(super) type Id = usize;

/// A node of the tree.
#[derive(Debug)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    /// Python's integers, as far as 128 bits go.
    Int(i128),
    Float,
    Text(Cow<'a, str>),
    /// Also Python 2's `str`.
    Bytes(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// `module.name`.
    Global(String),
    /// A call that was not made, and the state that would have been set on its result.
    Call {
        function: Id,
        arguments: Id,
        state: Option<Id>,
    },
    /// A reference to something outside the pickle: PyTorch's storages.
    Persistent(Id),
}

/// A parsed pickle.
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    /// How many bytes it took.
    pub length: usize,
}

impl<'a> Pickle<'a> {
    /// Parses the pickle at the start of `bytes`; globals are `module.name`.
    pub fn parse(bytes: &'a [u8], allowed: impl Fn(&str) -> bool) -> Parsed<Self> {
        let mut machine = Machine {
            cursor: Cursor::new(bytes),
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = loop {
            let at = machine.cursor.at();
            match machine.step(&allowed) {
                Ok(None) => {}
                Ok(Some(root)) => break root,
                Err(problem) => return Err(format!("{problem} (pickle, byte {at})")),
            }
        };
        Ok(Pickle { length: machine.cursor.at(), values: machine.values, root })
    }

    pub fn root(&self) -> Id {
        self.root
    }

    pub fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// Every value, in the order of their making.
    pub fn values(&self) -> &[Value<'a>] {
        &self.values
    }

    pub fn int(&self, id: Id) -> Option<i128> {
        match self.get(id) {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    pub fn usize(&self, id: Id) -> Option<usize> {
        self.int(id)?.try_into().ok()
    }

    /// A tuple or list of sizes.
    pub fn usizes(&self, id: Id) -> Option<Vec<usize>> {
        self.sequence(id)?.iter().map(|&id| self.usize(id)).collect()
    }

    /// A boolean, or the integer that older pickles have in its place.
    pub fn bool(&self, id: Id) -> Option<bool> {
        match self.get(id) {
            Value::Bool(b) => Some(*b),
            Value::Int(n) => Some(*n != 0),
            _ => None,
        }
    }

    pub fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn global(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Global(name) => Some(name),
            _ => None,
        }
    }

    /// The function's name, its arguments and the state of a call.
    pub fn call(&self, id: Id) -> Option<(&str, &[Id], Option<Id>)> {
        match self.get(id) {
            &Value::Call { function, arguments, state } => {
                Some((self.global(function)?, self.sequence(arguments)?, state))
            }
            _ => None,
        }
    }

    /// Text, or Python 2's bytes that are text (in Latin-1, as NumPy reads them).
    pub fn text(&self, id: Id) -> Option<Cow<'_, str>> {
        match self.get(id) {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Some(match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(bytes.iter().map(|&b| char::from(b)).collect()),
            }),
            _ => None,
        }
    }

    /// A dict's key as part of a tensor's name.
    pub fn key(&self, id: Id) -> Option<Cow<'_, str>> {
        self.text(id).or_else(|| self.int(id).map(|n| Cow::Owned(n.to_string())))
    }

    /// Bytes, also as Python 3 writes them into protocol 2: text to be encoded in Latin-1.
    pub fn bytes(&self, id: Id) -> Option<Cow<'_, [u8]>> {
        match self.get(id) {
            Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Value::Call { .. } => match self.call(id)? {
                ("_codecs.encode", &[text, _], _) => {
                    let Value::Text(text) = self.get(text) else { return None };
                    text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>().map(Cow::Owned)
                }
                ("__builtin__.bytes" | "builtins.bytes" | "builtins.bytearray", [], _) => Some(Cow::Borrowed(&[])),
                ("builtins.bytearray", &[bytes], _) => match self.get(bytes) {
                    Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    /// Runs one opcode; the root when it was the last.
    fn step(&mut self, allowed: &impl Fn(&str) -> bool) -> Parsed<Option<Id>> {
        match self.cursor.u8()? {
            // PROTO, FRAME: nothing to do.
            0x80 => drop(self.cursor.u8()?),
            0x95 => drop(self.cursor.u64()?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                // POP of a mark, where one is on top.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'I' => match self.cursor.line()? {
                b"00" => self.push(Value::Bool(false)),
                b"01" => self.push(Value::Bool(true)),
                line => self.push_decimal(line)?,
            },
            b'J' => {
                let n = self.cursor.u32()? as i32;
                self.push(Value::Int(n.into()));
            }
            b'K' => {
                let n = self.cursor.u8()?;
                self.push(Value::Int(n.into()));
            }
            b'M' => {
                let n = self.cursor.u16()?;
                self.push(Value::Int(n.into()));
            }
            b'L' => {
                let line = self.cursor.line()?;
                self.push_decimal(line.strip_suffix(b"L").unwrap_or(line))?;
            }
            0x8a => {
                let n = self.cursor.u8()?;
                self.push_long(n.into())?;
            }
            0x8b => {
                let n = self.length32()?;
                self.push_long(n)?;
            }
            b'F' => {
                self.cursor.line()?;
                self.push(Value::Float);
            }
            b'G' => {
                self.cursor.u64()?;
                self.push(Value::Float);
            }
            b'U' | b'C' => {
                let n = self.cursor.u8()?;
                self.push_bytes(n.into())?;
            }
            b'T' | b'B' => {
                let n = self.length32()?;
                self.push_bytes(n)?;
            }
            0x8e | 0x96 => {
                let n = self.cursor.length()?;
                self.push_bytes(n)?;
            }
            b'S' => {
                let line = self.cursor.line()?;
                let inner = line.get(1..line.len().saturating_sub(1)).unwrap_or_default();
                if inner.contains(&b'\\') {
                    return Err("holds an escaped string of pickle protocol 0: save it with protocol 2 or later".into());
                }
                self.push(Value::Bytes(Cow::Borrowed(inner)));
            }
            b'V' => {
                let line = self.cursor.line()?;
                self.push_text(line)?;
            }
            0x8c => {
                let n = self.cursor.u8()?;
                let text = self.cursor.take(n.into())?;
                self.push_text(text)?;
            }
            b'X' => {
                let n = self.length32()?;
                let text = self.cursor.take(n)?;
                self.push_text(text)?;
            }
            0x8d => {
                let n = self.cursor.length()?;
                let text = self.cursor.take(n)?;
                self.push_text(text)?;
            }
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(as_pairs(&items)?));
            }
            count @ 0x85..=0x87 => {
                let mut items = (0x85..=count).map(|_| self.pop()).collect::<Parsed<Vec<Id>>>()?;
                items.reverse();
                self.push(Value::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b'c' => {
                let (module, name) = (self.cursor.line()?, self.cursor.line()?);
                let name = format!("{}.{}", String::from_utf8_lossy(module), String::from_utf8_lossy(name));
                self.push_global(name, allowed)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (&self.values[module], &self.values[name]) else {
                    return Err("is damaged: a global is not named by text".into());
                };
                let name = format!("{module}.{name}");
                self.push_global(name, allowed)?;
            }
            // REDUCE, NEWOBJ: a call.
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(function, arguments)?;
            }
            b'b' => {
                let (set, target) = (self.pop()?, self.top()?);
                // An ordered dict's state is its attributes, such as PyTorch's `_metadata`: nothing to keep.
                if let Value::Call { state, .. } = &mut self.values[target] {
                    *state = Some(set);
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id));
            }
            b'q' => {
                let slot = self.cursor.u8()?;
                self.memoize(slot.into())?;
            }
            b'r' => {
                let slot = self.length32()?;
                self.memoize(slot)?;
            }
            b'p' => {
                let slot = decimal(self.cursor.line()?)?;
                self.memoize(slot)?;
            }
            0x94 => self.memoize(self.memo.len())?,
            b'h' => {
                let slot = self.cursor.u8()?;
                self.recall(slot.into())?;
            }
            b'j' => {
                let slot = self.length32()?;
                self.recall(slot)?;
            }
            b'g' => {
                let slot = decimal(self.cursor.line()?)?;
                self.recall(slot)?;
            }
            other => return Err(format!("holds a pickle opcode that weights have no use for, {other:#04x}")),
        }
        Ok(None)
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn top(&self) -> Parsed<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.last().copied().filter(|_| self.stack.len() > floor).ok_or_else(|| "is damaged: empty stack".into())
    }

    fn pop(&mut self) -> Parsed<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Parsed<Vec<Id>> {
        let mark = self.marks.pop().ok_or("is damaged: no mark on the stack")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn length32(&mut self) -> Parsed<usize> {
        self.cursor.u32().and_then(super::cursor::to_usize)
    }

    fn push_bytes(&mut self, n: usize) -> Parsed<()> {
        let bytes = self.cursor.take(n)?;
        self.push(Value::Bytes(Cow::Borrowed(bytes)));
        Ok(())
    }

    fn push_text(&mut self, bytes: &'a [u8]) -> Parsed<()> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is damaged: a name is not UTF-8")?;
        self.push(Value::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn push_decimal(&mut self, line: &[u8]) -> Parsed<()> {
        let n = decimal(line)?;
        self.push(Value::Int(n));
        Ok(())
    }

    /// A little-endian two's complement number of `n` bytes.
    fn push_long(&mut self, n: usize) -> Parsed<()> {
        let bytes = self.cursor.take(n)?;
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide.get_mut(..n).ok_or("holds an integer of more than 128 bits")?.copy_from_slice(bytes);
        self.push(Value::Int(i128::from_le_bytes(wide)));
        Ok(())
    }

    fn push_global(&mut self, name: String, allowed: &impl Fn(&str) -> bool) -> Parsed<()> {
        if !allowed(&name) {
            return Err(format!(
                "asks to call `{name}`, which is no part of weights and is not done: save only the tensors \
                 (PyTorch: the model's state_dict())"
            ));
        }
        self.push(Value::Global(name));
        Ok(())
    }

    fn call(&mut self, function: Id, arguments: Id) -> Parsed<()> {
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
    fn pairs_of_list(&self, list: Id) -> Parsed<Vec<(Id, Id)>> {
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
    fn extend(&mut self, items: Vec<Id>) -> Parsed<()> {
        let target = self.top()?;
        match &mut self.values[target] {
            Value::List(list) => list.extend(items),
            Value::Dict(pairs) => pairs.extend(as_pairs(&items)?),
            _ => return Err("is damaged: items for what is neither list nor dict".into()),
        }
        Ok(())
    }

    fn memoize(&mut self, slot: usize) -> Parsed<()> {
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Parsed<()> {
        let id = self.memo.get(&slot).ok_or("is damaged: it recalls what it never kept")?;
        self.stack.push(*id);
        Ok(())
    }
}

fn as_pairs(items: &[Id]) -> Parsed<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("is damaged: a dict's key without a value".into());
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}

fn decimal<T: std::str::FromStr>(line: &[u8]) -> Parsed<T> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| "is damaged: a number that is none".into())
}
