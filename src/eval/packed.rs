//! insightface's `.bin` sets: photographs and pairs in one file, a pickle of `(photographs, same)`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::pairs::ResolvedPair;
use crate::weights::pickle::{Id, Pickle, Value};
use crate::{Error, Result};

/// A set of pairs with its photographs: `2 n` files' bytes, pair `i` of the `2 i`th and the next one, and `n` answers.
/// Photographs that come again, byte for byte, are kept once. LFW, CFP, AgeDB and others come so with insightface's training sets, as aligned crops of 112 pixels.
pub struct Packed {
    bytes: Vec<u8>,
    /// Each with its number in the file, counted from 0, where it came first.
    photographs: Vec<(usize, Place)>,
    pairs: Vec<ResolvedPair>,
}

/// Where a photograph's bytes are.
enum Place {
    /// In the file.
    Within(Range<usize>),
    /// On their own: Python 3 writes bytes of older pickles as text.
    Apart(Vec<u8>),
}

impl Packed {
    /// Reads a set. Python 2's and Python 3's pickles are parsed as data; nothing in them is run.
    ///
    /// # Errors
    /// A file that cannot be read, or is no such pickle.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(fs::read(path).map_err(Error::io(path, "read"))?, path)
    }

    /// [`read`](Self::read) of bytes that are in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(bytes: Vec<u8>, path: impl AsRef<Path>) -> Result<Self> {
        let found = contents(&bytes);
        let (places, same) = found.map_err(|problem| {
            let problem = format!("{problem}; expected insightface's .bin, a pickle of photographs and booleans");
            Error::data(path.as_ref(), problem)
        })?;
        let mut known: HashMap<&[u8], usize> = HashMap::new();
        let kept: Vec<usize> = places
            .iter()
            .map(|place| {
                let next = known.len();
                *known.entry(place.bytes(&bytes)).or_insert(next)
            })
            .collect();
        let pair = |(i, same)| ResolvedPair { a: kept[2 * i], b: kept[2 * i + 1], same };
        let pairs = same.into_iter().enumerate().map(pair).collect();
        let mut photographs: Vec<(usize, Place)> = Vec::with_capacity(known.len());
        drop(known);
        for (number, place) in places.into_iter().enumerate() {
            if kept[number] == photographs.len() {
                photographs.push((number, place));
            }
        }
        Ok(Packed { bytes, photographs, pairs })
    }

    /// How many different photographs there are.
    pub fn len(&self) -> usize {
        self.photographs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.photographs.is_empty()
    }

    /// The bytes of photograph `i`, a JPEG or PNG file's.
    ///
    /// # Panics
    /// If there is no such photograph.
    pub fn photograph(&self, i: usize) -> &[u8] {
        self.photographs[i].1.bytes(&self.bytes)
    }

    /// What each photograph is called: the file's name and the photograph's number in it, counted from 0.
    pub fn names(&self, file: impl AsRef<Path>) -> Vec<PathBuf> {
        let file = file.as_ref().display();
        self.photographs.iter().map(|(number, _)| PathBuf::from(format!("{file}#{number}"))).collect()
    }

    /// The pairs.
    pub fn pairs(&self) -> &[ResolvedPair] {
        &self.pairs
    }
}

impl Place {
    /// The photograph, of a file with these bytes.
    fn bytes<'a>(&'a self, file: &'a [u8]) -> &'a [u8] {
        match self {
            Place::Within(range) => &file[range.clone()],
            Place::Apart(bytes) => bytes,
        }
    }
}

/// What such a pickle may name: arrays and numbers of NumPy's, and bytes.
fn allowed(global: &str) -> bool {
    let name = global.replacen("numpy._core.", "numpy.core.", 1);
    let numpy = ["numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar", "numpy.ndarray", "numpy.dtype"];
    numpy.contains(&name.as_str())
        || ["_codecs.encode", "__builtin__.bytes", "builtins.bytes", "builtins.bytearray"].contains(&name.as_str())
}

fn contents(bytes: &[u8]) -> Result<(Vec<Place>, Vec<bool>), String> {
    let pickle = Pickle::parse(bytes, allowed)?;
    let Some(&[photographs, same]) = pickle.sequence(pickle.root()) else {
        return Err("holds something else than two lists".to_owned());
    };
    let photographs = pickle.sequence(photographs).ok_or("its first part is no list of photographs")?;
    let place = |(i, &id): (usize, &Id)| {
        let found = raw(&pickle, id).ok_or_else(|| format!("its photograph {i} is not bytes"))?;
        Ok(match found {
            Cow::Owned(bytes) => Place::Apart(bytes),
            Cow::Borrowed(part) => within(bytes, part),
        })
    };
    let photographs = photographs.iter().enumerate().map(place).collect::<Result<Vec<_>, String>>()?;
    let same = answers(&pickle, same).ok_or("its second part is no list of booleans")?;
    if photographs.len() != 2 * same.len() {
        return Err(format!("has {} photographs for {} pairs, not two for each", photographs.len(), same.len()));
    }
    Ok((photographs, same))
}

/// A part of the file by its place, so that it needs not be copied.
fn within(bytes: &[u8], part: &[u8]) -> Place {
    let start = (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
    match bytes.get(start..start.saturating_add(part.len())) {
        Some(same) if same == part => Place::Within(start..start + part.len()),
        _ => Place::Apart(part.to_owned()),
    }
}

/// Bytes, or an array of them.
fn raw<'p>(pickle: &'p Pickle<'_>, id: Id) -> Option<Cow<'p, [u8]>> {
    pickle.bytes(id).or_else(|| pickle.bytes(array(pickle, id)?))
}

/// The bytes of an array: `_reconstruct(ndarray, ..)` with the state `(version, shape, dtype, is_fortran, data)`.
fn array(pickle: &Pickle<'_>, id: Id) -> Option<Id> {
    let (function, _, state) = pickle.call(id)?;
    let state = pickle.sequence(state?)?;
    state.last().copied().filter(|_| function.ends_with("._reconstruct"))
}

/// A list of booleans: Python's, or NumPy's one by one or in one array.
fn answers(pickle: &Pickle<'_>, id: Id) -> Option<Vec<bool>> {
    let Some(items) = pickle.sequence(id) else {
        return Some(pickle.bytes(array(pickle, id)?)?.iter().map(|&byte| byte != 0).collect());
    };
    let answer = |&id: &Id| match pickle.get(id) {
        Value::Call { .. } => {
            let (function, arguments, _) = pickle.call(id)?;
            let bytes = pickle.bytes(*arguments.last().filter(|_| function.ends_with(".scalar"))?)?;
            Some(bytes.iter().any(|&byte| byte != 0))
        }
        _ => pickle.bool(id),
    };
    items.iter().map(answer).collect()
}
