//! Pickles as data.
//!
//! A pickle is a program for a small stack machine. This one builds a tree of [`Value`]s and never calls anything:
//! what would be a call stays a [`Value::Call`] for the reader to interpret, and a global that the reader does not
//! list is refused by name. Opcodes are those of Python's `pickletools`, protocols 0 to 5.

mod machine;
mod opcodes;

use std::borrow::Cow;
use std::collections::HashMap;

use super::Parsed;
use super::cursor::Cursor;
use machine::Machine;

/// A value's place in its [`Pickle`]; a place may be shared, or even contain itself.
pub(crate) type Id = usize;

/// A node of the tree.
#[derive(Debug)]
pub(crate) enum Value<'a> {
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

/// NumPy's and PyTorch's limit. An array that stands in many places is looked at as often.
const MOST_AXES: usize = 64;
/// The opcode that sets an object's state.
const BUILD: u8 = b'b';

/// A parsed pickle.
pub(crate) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    attributes: HashMap<Id, Id>,
    /// What follows an object in the file.
    inline: HashMap<Id, &'a [u8]>,
    root: Id,
    /// How many bytes it took.
    pub length: usize,
}

impl<'a> Pickle<'a> {
    /// Parses the pickle at the start of `bytes`; globals are `module.name`.
    pub fn parse(bytes: &'a [u8], allowed: impl Fn(&str) -> bool) -> Parsed<Self> {
        Self::parse_inline(bytes, allowed, |_, _, _| Ok(None))
    }

    /// As [`Pickle::parse`]; `inline` takes the bytes that stand behind an object whose state was just set.
    pub(super) fn parse_inline(
        bytes: &'a [u8],
        allowed: impl Fn(&str) -> bool,
        inline: impl Fn(&Self, Id, &mut Cursor<'a>) -> Parsed<Option<&'a [u8]>>,
    ) -> Parsed<Self> {
        let mut machine = Machine::new(bytes);
        let mut pickle =
            Pickle { values: Vec::new(), attributes: HashMap::new(), inline: HashMap::new(), root: 0, length: 0 };
        loop {
            let at = machine.cursor.at();
            let damaged = |problem| format!("{problem} (pickle, byte {at})");
            match machine.step(&allowed).map_err(damaged)? {
                None if bytes.get(at) == Some(&BUILD) => {
                    let id = machine.top().map_err(damaged)?;
                    std::mem::swap(&mut pickle.values, &mut machine.values);
                    let behind = inline(&pickle, id, &mut machine.cursor).map_err(damaged)?;
                    std::mem::swap(&mut pickle.values, &mut machine.values);
                    pickle.inline.extend(behind.map(|bytes| (id, bytes)));
                }
                None => {}
                Some(root) => {
                    pickle.root = root;
                    break;
                }
            }
        }
        let Machine { cursor, values, attributes, .. } = machine;
        Ok(Pickle { length: cursor.at(), values, attributes, ..pickle })
    }

    /// The bytes that stood behind an object.
    pub fn inline(&self, id: Id) -> Option<&'a [u8]> {
        self.inline.get(&id).copied()
    }

    pub fn root(&self) -> Id {
        self.root
    }

    pub fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// The attributes of a dict, by name: pairs as a dict has them.
    pub fn attributes(&self, dict: Id) -> &[(Id, Id)] {
        match self.attributes.get(&dict).map(|&id| self.get(id)) {
            Some(Value::Dict(pairs)) => pairs,
            _ => &[],
        }
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

    /// A tuple or list of sizes, which are few: one for each axis.
    pub fn usizes(&self, id: Id) -> Option<Vec<usize>> {
        self.sequence(id).filter(|sizes| sizes.len() <= MOST_AXES)?.iter().map(|&id| self.usize(id)).collect()
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
