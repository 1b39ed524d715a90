//! Published weight files to named tensors.
//!
//! [`load`] reads any of seven formats, told apart by content, never by suffix, into a [`TensorMap`] of `f32` tensors
//! under the names the file gives them. [`mtcnn`] and [`facenet`] turn those names, of every publisher, into the one
//! set of weights that the models take. [`manifest`] knows the published files by name and hash.
//!
//! Zip archives (`.npz`, `.pt`) and HDF5 are read, and files are written, with the feature `decode`.
//!
//! ```
//! // An .npy file's bytes: a header of Python's, and two f32.
//! let header = b"\x93NUMPY\x01\x00\x3d\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }   \n";
//! let bytes = [&header[..], &1.5f32.to_le_bytes(), &2.0f32.to_le_bytes()].concat();
//! let file = warpface::weights::load_bytes("two.npy", &bytes)?;
//! assert_eq!(file.get("arr_0", [2])?.data(), [1.5, 2.0]);
//! # Ok::<(), warpface::Error>(())
//! ```
//!
//! Nothing in a file is trusted: pickles are parsed as data, lengths are checked before anything is allocated, and
//! what is damaged is an [`Error::Weights`] that says where.

#[cfg(feature = "decode")]
mod archive;
mod checkpoint;
mod collector;
mod cursor;
mod dtype;
pub mod facenet;
#[cfg(feature = "decode")]
mod keras;
mod layers;
pub mod manifest;
pub mod mtcnn;
mod npy;
#[cfg(feature = "decode")]
mod npz;
pub(crate) mod pickle;
mod safetensors;
pub mod sha256;
mod tensorflow;
mod torch;
#[cfg(feature = "decode")]
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Field, Result, message};
use crate::shape::Shape;
use crate::tensor::Tensor;

#[cfg(feature = "decode")]
use archive::Archive;
use collector::Collector;
pub use facenet::{InceptionResnetV1, inception_resnet_v1};
pub use layers::{ConvWeights, DenseWeights};
pub use manifest::{Entry, verify};
pub use mtcnn::{ONet, PNet, RNet, onet, pnet, rnet};

/// What the readers return: the problem in words, to which [`load`] adds the file's name.
pub(crate) type Parsed<T> = std::result::Result<T, String>;

/// The file formats that [`load`] knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// NumPy's `.npy`: one array (named `arr_0`), or a pickled dict of arrays, nested at will.
    Npy,
    /// NumPy's `.npz`: a zip of `.npy` members.
    Npz,
    /// A TensorFlow GraphDef whose variables are constants, as `freeze_graph` writes.
    FrozenGraph,
    /// A TensorFlow V2 checkpoint: `PREFIX.index` and `PREFIX.data-00000-of-00001`.
    Checkpoint,
    /// Keras's HDF5.
    Keras,
    /// A PyTorch state dict, in the zip layout or the one before it.
    Torch,
    /// safetensors.
    Safetensors,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Npy => "npy",
            Format::Npz => "npz",
            Format::FrozenGraph => "TensorFlow frozen graph",
            Format::Checkpoint => "TensorFlow checkpoint",
            Format::Keras => "Keras HDF5",
            Format::Torch => "PyTorch state dict",
            Format::Safetensors => "safetensors",
        })
    }
}

/// What `tf.train.ExponentialMovingAverage` adds to a variable's name.
const AVERAGE: &str = "/ExponentialMovingAverage";

/// A weights file's float tensors, by name, converted to `f32`.
#[derive(Clone, Debug)]
pub struct TensorMap {
    /// The file, for messages.
    pub path: PathBuf,
    /// What the file turned out to be.
    pub format: Format,
    /// Names as the file has them (nested dicts joined by `/`, PyTorch's by `.`), row-major data.
    pub tensors: BTreeMap<String, Tensor<f32>>,
    /// What was left out, and why: integers, strings, partitioned variables.
    pub skipped: BTreeMap<String, String>,
}

impl TensorMap {
    /// The tensor of this name and shape.
    ///
    /// # Errors
    /// [`Error::Tensor`] if it is missing or of another shape.
    pub fn get(&self, name: &str, expected: impl Into<Shape>) -> Result<&Tensor<f32>> {
        let expected = expected.into();
        match self.tensors.get(name) {
            Some(tensor) if *tensor.shape() == expected => Ok(tensor),
            Some(tensor) => {
                let found = format!("found {}: this file belongs to another model or version", tensor.shape());
                Err(self.tensor_error(name, expected, found))
            }
            None => {
                let found = match self.skipped.get(name) {
                    Some(why) => format!("but it was not read ({why}): save it as floats"),
                    None => format!(
                        "but it is missing among the file's {} tensors: is this the right model's file, and whole?",
                        self.tensors.len()
                    ),
                };
                Err(self.tensor_error(name, expected, found))
            }
        }
    }

    /// The same with every variable's moving average (`NAME/ExponentialMovingAverage`) in its place.
    ///
    /// # Errors
    /// [`Error::Weights`] if there is none.
    pub fn averaged(mut self) -> Result<TensorMap> {
        let is_average = |name: &String| name.ends_with(AVERAGE);
        let names: Vec<String> = self.tensors.keys().filter(|name| is_average(name)).cloned().collect();
        if names.is_empty() {
            let decay = Field("moving_average_decay");
            let problem = message!["holds no moving averages; train with a ", decay, " above 0, or leave them out"];
            return Err(Error::weights(&self.path, problem));
        }
        for name in names {
            if let Some(tensor) = self.tensors.remove(&name) {
                self.tensors.insert(name[..name.len() - AVERAGE.len()].to_owned(), tensor);
            }
        }
        Ok(self)
    }

    /// Refuses tensors that no network asked for, unless `harmless` knows them.
    ///
    /// # Errors
    /// [`Error::Weights`] naming the first of them with its shape.
    pub fn refuse_extra(&self, used: &BTreeSet<String>, harmless: impl Fn(&str, &Tensor<f32>) -> bool) -> Result<()> {
        let extra: Vec<_> =
            self.tensors.iter().filter(|(name, tensor)| !used.contains(*name) && !harmless(name, tensor)).collect();
        let Some((name, tensor)) = extra.first() else { return Ok(()) };
        let others = match extra.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        Err(Error::weights(
            &self.path,
            format!(
                "tensor `{name}` {} is not part of the model{others}: expected only the {} that it needs; \
                 is this another model's file?",
                tensor.shape(),
                used.len()
            ),
        ))
    }

    fn tensor_error(&self, name: &str, expected: Shape, found: String) -> Error {
        Error::Tensor { path: self.path.clone(), name: name.to_owned(), expected, found }
    }
}

/// Reads a weights file of any known format. A TensorFlow checkpoint may be given by its `.index` file, by any of its
/// `.data-…` files, or by the prefix that they share.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Weights`] if it is damaged or of no known format.
pub fn load(path: impl AsRef<Path>) -> Result<TensorMap> {
    let path = path.as_ref();
    if let Some(index) = checkpoint::index_of(path) {
        let bytes = read(&index)?;
        if checkpoint::is_index(&bytes) {
            return load_checkpoint(path, &index, &bytes);
        }
    }
    if path.is_dir() {
        return Err(Error::weights(path, "is a folder: name a weights file in it, or a checkpoint's prefix"));
    }
    let bytes = read(path)?;
    if checkpoint::is_index(&bytes) {
        return load_checkpoint(path, path, &bytes);
    }
    load_bytes(path, &bytes)
}

/// Reads a weights file from memory, as [`load`] does; `path` is for messages. A checkpoint needs more than one file:
/// see [`load_checkpoint_bytes`].
///
/// # Errors
/// [`Error::Weights`] if it is damaged or of no known format.
pub fn load_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<TensorMap> {
    let path = path.as_ref();
    parse(bytes).map_err(|problem| Error::weights(path, problem)).map(|(format, out)| out.finish(path, format))
}

/// Reads a TensorFlow checkpoint from memory: the `.index` file and the `.data` files in order.
///
/// # Errors
/// [`Error::Weights`] if either is damaged.
pub fn load_checkpoint_bytes(path: impl AsRef<Path>, index: &[u8], shards: &[&[u8]]) -> Result<TensorMap> {
    let path = path.as_ref();
    checkpoint::read_index(index)
        .and_then(|index| checkpoint::read(&index, shards))
        .map_err(|problem| Error::weights(path, problem))
        .map(|out| out.finish(path, Format::Checkpoint))
}

fn load_checkpoint(path: &Path, index_path: &Path, bytes: &[u8]) -> Result<TensorMap> {
    let index = checkpoint::read_index(bytes).map_err(|problem| Error::weights(index_path, problem))?;
    let shards = checkpoint::shard_paths(index_path, index.shards)
        .map_err(|problem| Error::weights(index_path, problem))?
        .iter()
        .map(|shard| read(shard))
        .collect::<Result<Vec<_>>>()?;
    let shards: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
    let out = checkpoint::read(&index, &shards).map_err(|problem| Error::weights(path, problem))?;
    Ok(out.finish(path, Format::Checkpoint))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::io(path, "read"))
}

fn parse(bytes: &[u8]) -> Parsed<(Format, Collector)> {
    let mut out = Collector::new(bytes.len());
    let format = if bytes.starts_with(npy::MAGIC) {
        npy::read(bytes, "arr_0", "", &mut out)?;
        Format::Npy
    } else if bytes.starts_with(HDF5) {
        packed::keras(bytes, &mut out)?
    } else if bytes.starts_with(b"PK\x03\x04") {
        packed::zip(bytes, &mut out)?
    } else if torch::is_legacy(bytes) {
        torch::read_legacy(bytes, &mut out)?;
        Format::Torch
    } else if safetensors::is(bytes) {
        safetensors::read(bytes, &mut out)?;
        Format::Safetensors
    } else if checkpoint::is_index(bytes) {
        return Err("is a checkpoint's index alone: its .data files are needed beside it".into());
    } else if tensorflow::is_graph(bytes) {
        tensorflow::read(bytes, &mut out)?;
        Format::FrozenGraph
    } else {
        return Err(unknown(bytes));
    };
    if out.is_empty() {
        return Err(format!("is a {format} file, but holds no float tensors"));
    }
    Ok((format, out))
}

/// The first bytes of an HDF5 file.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// What other crates unpack.
#[cfg(feature = "decode")]
mod packed {
    use super::{Archive, Collector, Format, Parsed, keras, npz, torch};

    pub fn keras(bytes: &[u8], out: &mut Collector) -> Parsed<Format> {
        keras::read(bytes, out)?;
        Ok(Format::Keras)
    }

    pub fn zip(bytes: &[u8], out: &mut Collector) -> Parsed<Format> {
        let mut archive = Archive::open(bytes)?;
        if torch::is_archive(&archive) {
            torch::read_archive(&mut archive, out)?;
            return Ok(Format::Torch);
        }
        npz::read(&mut archive, out)?;
        Ok(Format::Npz)
    }
}

/// What other crates would unpack.
#[cfg(not(feature = "decode"))]
mod packed {
    use super::{Collector, Format, Parsed};

    pub fn keras(_: &[u8], _: &mut Collector) -> Parsed<Format> {
        Err("is HDF5, which this build cannot read; build with the feature `decode`, or save it as .safetensors".into())
    }

    pub fn zip(_: &[u8], _: &mut Collector) -> Parsed<Format> {
        Err("is a zip archive, which this build cannot read; build with the feature `decode`, or save it as .safetensors"
            .into())
    }
}

/// Says what an unreadable file probably is, and the way out.
fn unknown(bytes: &[u8]) -> String {
    const KNOWN: &str = "npy, npz, TensorFlow .pb or checkpoint, Keras .h5, PyTorch .pt and .safetensors are the formats that can be read";
    let guess = if bytes.is_empty() {
        "is empty: fetch it again"
    } else if bytes.starts_with(b"version https://git-lfs") {
        "is a Git LFS pointer, not the file itself: run `git lfs pull`"
    } else if bytes.starts_with(b"\x1f\x8b") {
        "is gzip: unpack it first"
    } else if bytes.starts_with(b"\x08\x01\x12") {
        "is a TensorFlow SavedModel: freeze it to a GraphDef, or save a checkpoint"
    } else if bytes.get(257..262) == Some(b"ustar") {
        "is a tar archive: unpack it first (a PyTorch file this old must be saved again by torch.save)"
    } else if bytes.starts_with(b"\x80") {
        "is a bare pickle: save it by numpy.save, or by torch.save"
    } else if bytes.trim_ascii_start().starts_with(b"<") {
        "is a web page, not weights: fetch it again"
    } else {
        "is of no known format, or damaged at its start"
    };
    format!("{guess} ({KNOWN})")
}
