//! Pickles as data.
//!
//! A pickle is a program for a small stack machine. This one builds a tree of [`Value`]s and never calls anything:
//! what would be a call stays a [`Value::Call`] for the reader to interpret, and a global that the reader does not
//! list is refused by name. Opcodes are those of Python's `pickletools`, protocols 0 to 5.

mod machine;
mod opcodes;

use std::borrow::Cow;

use super::Parsed;
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

/// A parsed pickle.
pub(crate) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    /// How many bytes it took.
    pub length: usize,
}

impl<'a> Pickle<'a> {
    /// Parses the pickle at the start of `bytes`; globals are `module.name`.
    pub fn parse(bytes: &'a [u8], allowed: impl Fn(&str) -> bool) -> Parsed<Self> {
        let mut machine = Machine::new(bytes);
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
