//! What each opcode does, by its subject. A function tells whether the opcode is one of its own.

use std::borrow::Cow;

use super::machine::{Machine, as_pairs, decimal, raw_unicode};
use super::{Id, Value};
use crate::weights::Parsed;

impl Machine<'_> {
    /// Runs one opcode; the root when it was the last.
    pub fn step(&mut self, allowed: &impl Fn(&str) -> bool) -> Parsed<Option<Id>> {
        let opcode = self.cursor.u8()?;
        match opcode {
            // PROTO, FRAME: nothing to do.
            0x80 => drop(self.cursor.u8()?),
            0x95 => drop(self.cursor.u64()?),
            b'.' => return self.pop().map(Some),
            _ => {
                let known = self.on_stack(opcode)?
                    || self.scalar(opcode)?
                    || self.string(opcode)?
                    || self.collection(opcode)?
                    || self.object(opcode, allowed)?
                    || self.on_memo(opcode)?;
                if !known {
                    return Err(format!("holds a pickle opcode that weights have no use for, {opcode:#04x}"));
                }
            }
        }
        Ok(None)
    }

    /// Marks, and what moves values on the stack.
    fn on_stack(&mut self, opcode: u8) -> Parsed<bool> {
        match opcode {
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// None, booleans and numbers.
    fn scalar(&mut self, opcode: u8) -> Parsed<bool> {
        match opcode {
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Bytes and text.
    fn string(&mut self, opcode: u8) -> Parsed<bool> {
        match opcode {
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
                let text = raw_unicode(line).ok_or("is damaged: a text's escape is no character")?;
                self.push(Value::Text(Cow::Owned(text)));
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Lists, tuples and dicts.
    fn collection(&mut self, opcode: u8) -> Parsed<bool> {
        match opcode {
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Globals, calls, objects' states and references to what lies outside.
    fn object(&mut self, opcode: u8, allowed: &impl Fn(&str) -> bool) -> Parsed<bool> {
        match opcode {
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
                match &mut self.values[target] {
                    Value::Call { state, .. } => *state = Some(set),
                    // An ordered dict's state is its attributes, such as PyTorch's `_metadata`.
                    Value::Dict(_) => drop(self.attributes.insert(target, set)),
                    _ => {}
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What the memo keeps and gives back.
    fn on_memo(&mut self, opcode: u8) -> Parsed<bool> {
        match opcode {
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
            _ => return Ok(false),
        }
        Ok(true)
    }
}
