//! NumPy's `.npy`: a header in Python's notation, then either raw values or a pickle.
//!
//! `det1.npy` and its siblings are of the second kind: a 0-d object array around a dict of dicts of arrays, written by
//! Python 2. Formats: numpy's `format.py` and, for pickled arrays, `ndarray.__reduce__`.

use std::borrow::Cow;
use std::sync::Arc;

use super::collector::{Collector, Part};
use super::cursor::{Cursor, to_usize};
use super::dtype::Dtype;
use super::pickle::{Id, Pickle, Value};
use super::source::Source;
use super::view::{Bytes, Plain};
use super::{Parsed, facts};

/// The first bytes of the file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";

/// Dicts of dicts are two deep; pickles may contain themselves.
pub(super) const MAX_DEPTH: usize = 16;

/// Reads one array as `name`, or a pickled dict's arrays under `prefix`, from bytes of which only the first are at hand
/// unless `part` is called.
pub(super) fn read(file: &Npy<'_>, name: &str, prefix: &str, out: &mut Collector) -> Parsed<()> {
    let (header, begin) = split(&file.head)?;
    let len = file.len.checked_sub(begin).ok_or("is cut short: its header does not end; fetch it again")?;
    if header.descr.trim_start_matches('|').starts_with('O') {
        let data = (file.all)()?;
        let pickle = Pickle::parse(data.get(begin..).unwrap_or_default(), allowed)?;
        return flatten(&pickle, pickle.root(), prefix.trim_end_matches('/'), MAX_DEPTH, out);
    }
    if name.starts_with(facts::PREFIX) && header.shape.is_empty() && len <= LONGEST_FACT {
        let data = (file.all)()?;
        return match text(&header.descr, data.get(begin..).unwrap_or_default()) {
            Some(value) => out.learn(name, &value),
            None => out.skip(name, format!("NumPy type {}", header.descr)),
        };
    }
    match Dtype::from_numpy(&header.descr) {
        Some(dtype) => {
            let part = Part { bytes: (file.part)(begin), len };
            out.insert_stored(name, &header.shape, dtype, header.fortran, part)
        }
        None => out.skip(name, format!("NumPy type {}", header.descr)),
    }
}

/// A file of this format, alone or within an archive.
pub(super) struct Npy<'a> {
    /// The first [`HEAD`] bytes, or all.
    pub head: Vec<u8>,
    /// How many bytes there are.
    pub len: usize,
    /// All bytes.
    pub all: &'a dyn Fn() -> Parsed<Vec<u8>>,
    /// The bytes from a place on, read when they are wanted.
    pub part: &'a dyn Fn(usize) -> Arc<dyn Bytes>,
}

/// Bytes of a fact's text.
const LONGEST_FACT: usize = 1 << 10;

/// A single text, as `<U9` has it: code points of 32 bits, filled up with zeros.
fn text(descr: &str, data: &[u8]) -> Option<String> {
    let big_endian = descr.starts_with('>');
    descr.trim_start_matches(['<', '>', '=']).strip_prefix('U')?;
    let points = data.as_chunks::<4>().0.iter().map(|&word| match big_endian {
        true => u32::from_be_bytes(word),
        false => u32::from_le_bytes(word),
    });
    points.take_while(|&point| point != 0).map(char::from_u32).collect()
}

/// Longer than the header of a float array, whose shape is what varies.
pub(crate) const HEAD: usize = 1 << 17;

/// Reads a file that is one array, or a pickled dict.
pub(super) fn read_file(source: &Source, out: &mut Collector) -> Parsed<()> {
    let part = |at| Arc::new(Plain { source: source.clone(), at }) as Arc<dyn Bytes>;
    let npy = Npy { head: source.head(HEAD)?, len: source.len(), all: &|| source.all(), part: &part };
    read(&npy, "arr_0", "", out)
}

/// What a file says of its array.
pub(crate) struct Header {
    /// NumPy's name of the type, such as `<f4`.
    pub descr: String,
    /// Whether columns follow each other.
    pub fortran: bool,
    pub shape: Vec<usize>,
}

/// The header, and where the data begins.
pub(crate) fn split(bytes: &[u8]) -> Parsed<(Header, usize)> {
    let mut cursor = Cursor::new(bytes);
    if cursor.take(MAGIC.len())? != MAGIC {
        return Err("is no .npy file".into());
    }
    let major = cursor.u8()?;
    cursor.u8()?;
    let length = match major {
        1 => usize::from(cursor.u16()?),
        2 | 3 => to_usize(cursor.u32()?)?,
        _ => return Err(format!("is an .npy file of version {major}, and 1 to 3 are known")),
    };
    let text = std::str::from_utf8(cursor.take(length)?).map_err(|_| "has a damaged .npy header")?;
    let header = parse_header(text).ok_or_else(|| format!("has a damaged .npy header: {}", text.trim()))?;
    Ok((header, cursor.at()))
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. A record type's `descr` is a list: no weights.
fn parse_header(text: &str) -> Option<Header> {
    let value = |key: &str| {
        let (_, after) = text.split_once(&format!("'{key}'"))?;
        after.trim_start().strip_prefix(':').map(str::trim_start)
    };
    let descr = match value("descr")? {
        quoted if quoted.starts_with('\'') => quoted.split('\'').nth(1)?.to_owned(),
        _ => "of records".to_owned(),
    };
    let fortran = match value("fortran_order")? {
        v if v.starts_with("True") => true,
        v if v.starts_with("False") => false,
        _ => return None,
    };
    let (shape, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
    // Python 2 wrote long integers with an `L`.
    let shape = shape
        .split(',')
        .map(|extent| extent.trim().trim_end_matches('L'))
        .filter(|extent| !extent.is_empty())
        .map(|extent| extent.parse().ok())
        .collect::<Option<Vec<usize>>>()?;
    Some(Header { descr, fortran, shape })
}

/// What a pickle of NumPy arrays is made of.
pub(super) fn allowed(global: &str) -> bool {
    matches!(
        global,
        "numpy.core.multiarray._reconstruct"
            | "numpy._core.multiarray._reconstruct"
            | "numpy.core.numeric._frombuffer"
            | "numpy._core.numeric._frombuffer"
            | "numpy.core.multiarray.scalar"
            | "numpy._core.multiarray.scalar"
            | "numpy.ndarray"
            | "numpy.dtype"
            | "collections.OrderedDict"
            | "_codecs.encode"
            | "__builtin__.bytes"
            | "builtins.bytes"
            | "builtins.bytearray"
    )
}

pub(super) fn flatten(pickle: &Pickle<'_>, id: Id, name: &str, depth: usize, out: &mut Collector) -> Parsed<()> {
    let depth = depth.checked_sub(1).ok_or("is damaged: its dicts are nested without end")?;
    out.spend(1 + name.len())?;
    match pickle.get(id) {
        Value::Dict(pairs) => {
            for &(key, value) in pairs {
                let key = pickle.key(key).ok_or("holds a dict whose keys are neither text nor numbers")?;
                let child = if name.is_empty() { key.into_owned() } else { format!("{name}/{key}") };
                flatten(pickle, value, &child, depth, out)?;
            }
            Ok(())
        }
        // The package mtcnn keeps its networks as lists of arrays.
        Value::List(items) | Value::Tuple(items) => {
            for (i, &item) in items.iter().enumerate() {
                let child = if name.is_empty() { i.to_string() } else { format!("{name}/{i}") };
                flatten(pickle, item, &child, depth, out)?;
            }
            Ok(())
        }
        Value::Call { .. } => match array(pickle, id).ok_or_else(|| damaged_array(name))? {
            Array::Objects(items) => match items {
                &[item] => flatten(pickle, item, name, depth, out),
                _ => out.skip(name, "an array of objects"),
            },
            Array::Numbers { descr, shape, fortran, data } => match Dtype::from_numpy(&descr) {
                Some(dtype) => {
                    let bytes = pickle.inline(data).map(Cow::Borrowed).or_else(|| pickle.bytes(data));
                    let bytes = bytes.ok_or_else(|| damaged_array(name))?;
                    out.insert_bytes(name, &shape, dtype, fortran, &bytes)
                }
                None => out.skip(name, format!("NumPy type {descr}")),
            },
            Array::Scalar => out.skip(name, "a scalar"),
        },
        _ => out.skip(name, "not an array"),
    }
}

fn damaged_array(name: &str) -> String {
    format!("is damaged: `{name}` is not an array as NumPy pickles it")
}

/// joblib's stand-in for an array whose bytes follow it.
pub(super) const WRAPPER: &str = "joblib.numpy_pickle.NumpyArrayWrapper";

/// More than the keys of its state, of which joblib has six. It is looked at each time that it is set.
const WRAPPER_KEYS: usize = 16;

/// What a [`WRAPPER`] says of its array.
pub(super) struct Wrapped {
    pub shape: Vec<usize>,
    pub element_size: usize,
    /// Whether a length and as many bytes stand before the array's.
    pub padded: bool,
    descr: String,
    fortran: bool,
}

/// The array that an object stands for, if it is joblib's.
pub(super) fn wrapped(pickle: &Pickle<'_>, id: Id) -> Option<Wrapped> {
    let (WRAPPER, _, Some(state)) = pickle.call(id)? else { return None };
    let Value::Dict(pairs) = pickle.get(state) else { return None };
    if pairs.len() > WRAPPER_KEYS {
        return None;
    }
    let find = |name: &str| pairs.iter().find(|&&(key, _)| pickle.text(key).as_deref() == Some(name)).map(|&(_, v)| v);
    let descr = descr(pickle, find("dtype")?)?;
    Some(Wrapped {
        shape: pickle.usizes(find("shape")?)?,
        element_size: Dtype::from_numpy(&descr)?.size(),
        padded: find("numpy_array_alignment_bytes").is_some_and(|id| pickle.int(id).is_some()),
        fortran: pickle.text(find("order")?)? == "F",
        descr,
    })
}

enum Array<'p> {
    Objects(&'p [Id]),
    Numbers { descr: String, shape: Vec<usize>, fortran: bool, data: Id },
    Scalar,
}

/// `_reconstruct(ndarray, (0,), 'b')` with the state `(version, shape, dtype, is_fortran, data)`, or protocol 5's
/// `_frombuffer(data, dtype, shape, order)`.
fn array<'p>(pickle: &'p Pickle<'_>, id: Id) -> Option<Array<'p>> {
    if let Some(Wrapped { shape, descr, fortran, .. }) = wrapped(pickle, id) {
        return Some(Array::Numbers { descr, shape, fortran, data: id });
    }
    let (function, arguments, state) = pickle.call(id)?;
    match function.rsplit_once('.')?.1 {
        "_reconstruct" => {
            let state = pickle.sequence(state?)?;
            let &[shape, dtype, fortran, data] = state.last_chunk::<4>()?;
            let descr = descr(pickle, dtype)?;
            if descr.trim_start_matches('|').starts_with('O') {
                return pickle.sequence(data).map(Array::Objects);
            }
            Some(Array::Numbers { descr, shape: pickle.usizes(shape)?, fortran: pickle.bool(fortran)?, data })
        }
        "_frombuffer" => {
            let &[data, dtype, shape, order] = arguments else { return None };
            let fortran = pickle.text(order)? == "F";
            Some(Array::Numbers { descr: descr(pickle, dtype)?, shape: pickle.usizes(shape)?, fortran, data })
        }
        "scalar" => Some(Array::Scalar),
        _ => None,
    }
}

/// Longer than a type of numbers is called.
const LONGEST_KIND: usize = 64;

/// `dtype('f4', …)` with the state `(version, '<', …)`, as `<f4`.
fn descr(pickle: &Pickle<'_>, id: Id) -> Option<String> {
    let ("numpy.dtype", arguments, state) = pickle.call(id)? else { return None };
    let kind = pickle.text(*arguments.first()?).filter(|kind| kind.len() <= LONGEST_KIND)?;
    let order = match state {
        Some(state) => pickle.text(*pickle.sequence(state)?.get(1)?).filter(|order| order.len() <= 1)?,
        None => "".into(),
    };
    Some(format!("{order}{kind}"))
}
