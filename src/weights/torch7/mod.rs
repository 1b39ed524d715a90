//! Torch7's `.t7`: a tree of Lua's tables, of modules and of tensors, in binary or ascii (`torch/File.lua`).
//!
//! Tensors are named by their path in the tree, `modules/1/weight`; the modules are listed in the order of the tree.
//! Code in it is passed over.

mod input;
mod objects;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Parsed;
use super::collector::{Collector, Strided};
use super::source::Source;
use super::view::Plain;
use input::{Ascii, Binary, Storage};
use objects::{Id, Object, Objects, Value};

/// What modules keep of their last run, by name; all that begins with `grad` is such.
const TRACES: [&str; 10] =
    ["output", "finput", "fgradInput", "save_mean", "save_std", "buffer", "buffer2", "_input", "_output", "_buffer"];

/// A module of a Torch7 network.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TorchModule {
    /// Where it is in the tree, such as `modules/1`; empty for the root. Its tensors' names begin so.
    pub path: String,
    /// Its class, such as `nn.SpatialConvolutionMM`.
    pub class: String,
    /// Its fields that are numbers, such as `kW`; yes is 1, and no is 0.
    pub numbers: BTreeMap<String, f64>,
}

/// How a file begins.
enum Form {
    Binary,
    Ascii,
}

/// Whether a file begins as an object that has a number: a table, or an instance with its class.
pub(super) fn is(head: &[u8]) -> bool {
    form(head).is_some()
}

fn form(head: &[u8]) -> Option<Form> {
    let int = |i: usize| head.get(4 * i..)?.first_chunk().map(|bytes| i32::from_le_bytes(*bytes));
    let names_class = |rest: &[u8]| [&b"V "[..], b"torch.", b"nn."].iter().any(|begin| rest.starts_with(begin));
    // The type of an object, its number, and a table's length or that of a version.
    match (int(0), int(1), int(2)) {
        (Some(3), Some(1), Some(0..)) if matches!(int(3), None | Some(0..=8)) => return Some(Form::Binary),
        (Some(4), Some(1), Some(1..)) if names_class(&head[12..]) => return Some(Form::Binary),
        _ => {}
    }
    let mut lines = head.splitn(4, |&byte| byte == b'\n');
    let mut number = || std::str::from_utf8(lines.next()?).ok()?.parse::<i32>().ok();
    match (number()?, number()?, number()?) {
        (3, 1, 0..) => Some(Form::Ascii),
        (4, 1, 1..) if names_class(lines.next()?) => Some(Form::Ascii),
        _ => None,
    }
}

/// Adds every tensor, and returns the modules.
pub(super) fn read(source: &Source, head: &[u8], out: &mut Collector) -> Parsed<Vec<TorchModule>> {
    let objects = match form(head) {
        Some(Form::Ascii) => Objects::parse(&mut Ascii::new(source.all()?)),
        // Which machine wrote it is not told: a file of 32-bit longs makes no sense with 64, and the other way round.
        _ => Objects::parse(&mut Binary::new(source, 8))
            .or_else(|problem| Objects::parse(&mut Binary::new(source, 4)).map_err(|_| problem)),
    };
    let objects = objects.map_err(|problem| super::damaged("Torch7 file", problem))?;
    let mut walk = Walk { objects: &objects, seen: vec![false; objects.all.len()], modules: Vec::new() };
    walk.all(out)?;
    Ok(walk.modules)
}

/// The way through the tree.
struct Walk<'a> {
    objects: &'a Objects,
    /// Tables and modules whose content has its names already.
    seen: Vec<bool>,
    modules: Vec<TorchModule>,
}

impl<'a> Walk<'a> {
    fn all(&mut self, out: &mut Collector) -> Parsed<()> {
        let mut next = vec![(String::new(), &self.objects.root)];
        while let Some((name, value)) = next.pop() {
            out.spend(name.len() + 1)?;
            let &Value::Object(id) = value else { continue };
            match &self.objects.all[id] {
                Object::Table(pairs) if !std::mem::replace(&mut self.seen[id], true) => {
                    // What comes first goes on top.
                    next.extend(children(&name, pairs).into_iter().rev());
                }
                Object::Instance { class, fields } if !std::mem::replace(&mut self.seen[id], true) => {
                    let pairs = self.table(fields);
                    self.modules.push(module(&name, class, pairs, out)?);
                    next.push((name, fields));
                }
                Object::Tensor { shape, strides, offset, storage } => {
                    self.tensor(&name, shape, (strides, *offset), storage, out)?;
                }
                Object::Function => out.skip(&name, "code")?,
                Object::Table(_) | Object::Instance { .. } | Object::Storage(_) => {}
            }
        }
        Ok(())
    }

    fn table(&self, value: &Value) -> &'a [(Value, Value)] {
        let object = |id: Id| self.objects.all.get(id);
        match value {
            &Value::Object(id) => match object(id) {
                Some(Object::Table(pairs)) => pairs,
                _ => &[],
            },
            _ => &[],
        }
    }

    fn tensor(
        &self,
        name: &str,
        shape: &[usize],
        (strides, offset): (&[usize], usize),
        storage: &Value,
        out: &mut Collector,
    ) -> Parsed<()> {
        let field = name.rsplit('/').next().unwrap_or_default();
        if field.starts_with("grad") || TRACES.contains(&field) {
            return out.skip(name, "a trace of the last run");
        }
        let storage: Option<&Storage> = match storage {
            &Value::Object(id) => match &self.objects.all[id] {
                Object::Storage(storage) => Some(storage),
                _ => return Err(format!("is damaged: the storage of `{name}` is none")),
            },
            _ => None,
        };
        // Without axes or a storage it has no elements.
        let Some(storage) = storage.filter(|_| !shape.is_empty()) else { return out.skip(name, "empty") };
        let Some(dtype) = storage.dtype else { return out.skip(name, "integers") };
        let strided = Strided { shape, strides, offset, among: storage.elements };
        let place = |at| Arc::new(Plain { source: storage.source.clone(), at: storage.at + at }) as Arc<_>;
        out.insert_strided(name, &strided, dtype, place)
    }
}

/// The values of a table by their names, in order: lists by their numbers, then the modules of a container, then the rest.
fn children<'a>(parent: &str, pairs: &'a [(Value, Value)]) -> Vec<(String, &'a Value)> {
    let mut named: Vec<(f64, bool, String, &Value)> = Vec::new();
    for (key, value) in pairs.iter().filter(|(_, value)| matches!(value, Value::Object(_))) {
        let (number, key) = match key {
            Value::Number(number) => (*number, number.to_string()),
            Value::Text(text) => (f64::INFINITY, String::from_utf8_lossy(text).into_owned()),
            _ => continue,
        };
        named.push((number, key != "modules", key, value));
    }
    named.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1, &a.2).cmp(&(b.1, &b.2))));
    let name = |key: String| if parent.is_empty() { key } else { format!("{parent}/{key}") };
    named.into_iter().map(|(_, _, key, value)| (name(key), value)).collect()
}

fn module(path: &str, class: &str, fields: &[(Value, Value)], out: &mut Collector) -> Parsed<TorchModule> {
    let mut numbers = BTreeMap::new();
    for (key, value) in fields {
        let Value::Text(key) = key else { continue };
        let number = match *value {
            Value::Number(number) => number,
            Value::Bool(yes) => f64::from(u8::from(yes)),
            _ => continue,
        };
        out.spend(key.len() + 8)?;
        numbers.insert(String::from_utf8_lossy(key).into_owned(), number);
    }
    Ok(TorchModule { path: path.to_owned(), class: class.to_owned(), numbers })
}
