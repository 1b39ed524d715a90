//! The objects of a Torch file, as `torch/File.lua` writes them: each is its type, and what is met again is a number.

use std::collections::HashMap;

use super::super::Parsed;
use super::super::cursor::to_usize;
use super::super::dtype::Float;
use super::input::{Element, Input, Storage};

/// Axes of a tensor.
const MOST_AXES: usize = 32;
/// Bytes of the shortest object in ascii, which is `0` and a newline.
const LEAST: usize = 2;

/// A place among the objects.
pub(super) type Id = usize;

pub(super) enum Value {
    Nil,
    Number(f64),
    Bool(bool),
    Text(Vec<u8>),
    Object(Id),
}

pub(super) enum Object {
    Table(Vec<(Value, Value)>),
    /// An instance of a class, by the table of its fields.
    Instance {
        class: String,
        fields: Value,
    },
    Tensor {
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: usize,
        storage: Value,
    },
    Storage(Storage),
    /// Code, which nobody runs.
    Function,
}

/// All objects of a file; they may hold each other.
pub(super) struct Objects {
    pub all: Vec<Object>,
    pub root: Value,
}

/// An object that waits for another.
enum Open {
    /// For so many more keys and values.
    Table {
        id: Id,
        left: usize,
        key: Option<Value>,
    },
    Fields(Id),
    StorageOf(Id),
    Upvalues(Id),
}

struct Reader<'a> {
    input: &'a mut dyn Input,
    all: Vec<Object>,
    /// The objects by the numbers that the file gives them.
    known: HashMap<i64, Id>,
    open: Vec<Open>,
}

impl Objects {
    /// Reads the one object of a file. Without recursion: objects are nested as deep as files say.
    pub fn parse(input: &mut dyn Input) -> Parsed<Objects> {
        let mut reader = Reader { input, all: Vec::new(), known: HashMap::new(), open: Vec::new() };
        let root = reader.read()?;
        match reader.input.is_at_end() {
            true => Ok(Objects { all: reader.all, root }),
            false => Err(format!("{} bytes follow its end", reader.input.left())),
        }
    }
}

impl Reader<'_> {
    fn read(&mut self) -> Parsed<Value> {
        loop {
            let mut value = self.begin()?;
            while let Some(done) = value {
                match self.open.pop() {
                    None => return Ok(done),
                    Some(open) => value = self.give(open, done)?,
                }
            }
        }
    }

    /// Reads a value, if it does not wait for others.
    fn begin(&mut self) -> Parsed<Option<Value>> {
        let kind = self.input.int()?;
        if let (Some(&Open::Fields(id)), 0..=2 | 4..=8) = (self.open.last(), kind)
            && let Some(Object::Instance { class, .. }) = self.all.get(id)
        {
            return Err(format!("an object of class `{class}` has a form of its own"));
        }
        Ok(Some(match kind {
            0 => Value::Nil,
            1 => Value::Number(self.input.double()?),
            2 => {
                let n = self.input.length(1)?;
                Value::Text(self.input.text(n)?)
            }
            5 => Value::Bool(self.input.int()? == 1),
            // The oldest kind of function has no number.
            6 => return self.function(None).map(|()| None),
            3 | 4 | 7 | 8 => {
                let number = self.input.int()?;
                if let Some(&id) = self.known.get(&number) {
                    return Ok(Some(Value::Object(id)));
                }
                match kind {
                    3 => return self.table(number),
                    4 => return self.instance(number),
                    _ => return self.function(Some(number)).map(|()| None),
                }
            }
            other => return Err(format!("{other} is no type of object")),
        }))
    }

    /// Hands a value to the object that waits for it.
    fn give(&mut self, open: Open, value: Value) -> Parsed<Option<Value>> {
        let id = match open {
            Open::Table { id, left, key: None } => {
                self.open.push(Open::Table { id, left, key: Some(value) });
                return Ok(None);
            }
            Open::Table { id, left, key: Some(key) } => {
                if let Some(Object::Table(pairs)) = self.all.get_mut(id) {
                    pairs.push((key, value));
                }
                if left > 1 {
                    self.open.push(Open::Table { id, left: left - 1, key: None });
                    return Ok(None);
                }
                id
            }
            Open::Fields(id) => {
                if let Some(Object::Instance { fields, .. }) = self.all.get_mut(id) {
                    *fields = value;
                }
                id
            }
            Open::StorageOf(id) => {
                if let Some(Object::Tensor { storage, .. }) = self.all.get_mut(id) {
                    *storage = value;
                }
                id
            }
            Open::Upvalues(id) => id,
        };
        Ok(Some(Value::Object(id)))
    }

    fn add(&mut self, number: Option<i64>, object: Object) -> Id {
        let id = self.all.len();
        self.all.push(object);
        if let Some(number) = number {
            self.known.insert(number, id);
        }
        id
    }

    fn table(&mut self, number: i64) -> Parsed<Option<Value>> {
        let left = self.input.length(2 * LEAST)?;
        let id = self.add(Some(number), Object::Table(Vec::new()));
        if left == 0 {
            return Ok(Some(Value::Object(id)));
        }
        self.open.push(Open::Table { id, left, key: None });
        Ok(None)
    }

    fn function(&mut self, number: Option<i64>) -> Parsed<()> {
        let n = self.input.length(1)?;
        self.input.text(n)?;
        let id = self.add(number, Object::Function);
        self.open.push(Open::Upvalues(id));
        Ok(())
    }

    fn name(&mut self) -> Parsed<String> {
        let n = self.input.length(1)?;
        let name = self.input.text(n)?;
        match name.iter().all(u8::is_ascii_graphic) || name.starts_with(b"V ") {
            true => Ok(String::from_utf8_lossy(&name).into_owned()),
            false => Err("a class has a name of no text".into()),
        }
    }

    fn instance(&mut self, number: i64) -> Parsed<Option<Value>> {
        let version = self.name()?;
        // Files of before there were versions begin with the class.
        let class = if version.starts_with("V ") { self.name()? } else { version };
        if let Some(kind) = element(&class, "Storage") {
            let n = self.input.long()?;
            let storage = self.input.storage(kind, to_usize(n)?)?;
            return Ok(Some(Value::Object(self.add(Some(number), Object::Storage(storage)))));
        }
        if element(&class, "Tensor").is_none() {
            let id = self.add(Some(number), Object::Instance { class, fields: Value::Nil });
            self.open.push(Open::Fields(id));
            return Ok(None);
        }
        let axes = to_usize(self.input.int()?)?;
        if axes > MOST_AXES {
            return Err(format!("a tensor has {axes} axes"));
        }
        let mut longs = || (0..axes).map(|_| to_usize(self.input.long()?)).collect::<Parsed<Vec<usize>>>();
        let (shape, strides) = (longs()?, longs()?);
        // Counted from 1.
        let offset = to_usize(self.input.long()?)?.saturating_sub(1);
        let id = self.add(Some(number), Object::Tensor { shape, strides, offset, storage: Value::Nil });
        self.open.push(Open::StorageOf(id));
        Ok(None)
    }
}

/// The elements of `torch.FloatTensor`, `torch.CudaDoubleStorage` and such.
fn element(class: &str, what: &str) -> Option<Element> {
    let kind = class.strip_prefix("torch.")?.strip_suffix(what)?;
    Some(match kind.strip_prefix("Cuda").unwrap_or(kind) {
        "" if kind == "Cuda" => Element::Float(Float::F32),
        "Float" => Element::Float(Float::F32),
        "Double" => Element::Float(Float::F64),
        "Half" => Element::Float(Float::F16),
        "Byte" | "Char" => Element::Byte,
        "Short" => Element::Integer(2),
        "Int" => Element::Integer(4),
        "Long" => Element::Long,
        _ => return None,
    })
}
