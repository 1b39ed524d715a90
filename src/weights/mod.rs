//! Published weight files to named tensors.
//!
//! [`load`] reads any [`Format`], told apart by content, never by suffix, into a [`TensorMap`] of `f32` tensors
//! under the names the file gives them. [`mtcnn`] and [`network`] turn those names, of every publisher, into the one
//! set of weights that the models take. [`manifest`] knows the published files by name and hash.
//!
//! Zip archives (`.npz`, `.pt`) and HDF5 are read, and files of weights are written, with the feature `decode`; [`export`]
//! writes graphs.
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
mod caffe;
mod checkpoint;
mod collector;
mod csv;
mod cursor;
mod dlib;
mod dtype;
pub mod export;
pub mod facenet;
mod facts;
pub mod folder;
mod joblib;
#[cfg(feature = "decode")]
mod keras;
#[cfg(feature = "decode")]
mod keras_config;
mod layers;
pub mod manifest;
pub mod mtcnn;
pub mod network;
pub(crate) mod npy;
#[cfg(feature = "decode")]
mod npz;
mod onnx;
pub(crate) mod pickle;
mod safetensors;
mod sequence;
pub mod sha256;
mod shape_predictor;
mod source;
pub mod survey;
mod tensorflow;
mod tflite;
mod torch;
mod torch7;
mod view;
mod wire;
#[cfg(feature = "decode")]
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Field, Result, message};
use crate::shape::Shape;
use crate::tensor::Tensor;

use collector::Collector;
pub use facts::{ModelFacts, USUAL_CROP};
pub use layers::{ConvWeights, DenseWeights};
pub use manifest::{Entry, verify};
pub use mtcnn::{ONet, PNet, RNet, onet, pnet, rnet};
pub use network::{EmbeddingNetwork, embedding_network};
pub(crate) use safetensors::beginning as safetensors_beginning;
pub(crate) use shape_predictor::ShapeTrees;
use source::Source;
pub use torch7::TorchModule;
pub use view::TensorView;

/// Why a tensor of 8-bit numbers and a scale is left out.
const QUANTIZED: &str = "quantized to 8 bits";

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
    /// Keras's HDF5: `.h5`, `.weights.h5`, or within a `.keras`.
    Keras,
    /// A PyTorch state dict, in the zip layout or the one before it.
    Torch,
    /// safetensors.
    Safetensors,
    /// An ONNX model, its data within it or beside it.
    Onnx,
    /// A TFLite model of f32 or f16 weights.
    Tflite,
    /// Caffe's `.caffemodel`.
    Caffe,
    /// joblib's pickle, perhaps in an LZ4 frame.
    Joblib,
    /// Torch7's `.t7`, binary or ascii.
    Torch7,
    /// A folder of `.csv` files, a tensor each without its shape.
    CsvFolder,
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
            Format::Onnx => "ONNX",
            Format::Tflite => "TFLite",
            Format::Caffe => "Caffe",
            Format::Joblib => "joblib",
            Format::Torch7 => "Torch7",
            Format::CsvFolder => "folder of CSV files",
        })
    }
}

/// What `tf.train.ExponentialMovingAverage` adds to a variable's name.
const AVERAGE: &str = "/ExponentialMovingAverage";

/// A weights file's float tensors, by name. They stay in the file, and are decoded to `f32` when they are asked for.
#[derive(Clone, Debug)]
pub struct TensorMap {
    /// The file, for messages.
    pub path: PathBuf,
    /// What the file turned out to be.
    pub format: Format,
    /// Names as the file has them (nested dicts joined by `/`, PyTorch's by `.`).
    pub tensors: BTreeMap<String, TensorView>,
    /// What was left out, and why: integers, strings, partitioned variables.
    pub skipped: BTreeMap<String, String>,
    /// What the file says of the network's input.
    pub facts: ModelFacts,
    /// The layers of a graph in the order of its data; of files that hold tensors alone, none.
    layers: Vec<sequence::Layer>,
    modules: Vec<TorchModule>,
}

impl TensorMap {
    /// Tensors in memory, as if they had been read from `path`.
    pub fn new(path: impl Into<PathBuf>, format: Format, tensors: BTreeMap<String, Tensor>) -> Self {
        let tensors = tensors.into_iter().map(|(name, tensor)| (name, tensor.into())).collect();
        let (skipped, facts, layers, modules) = Default::default();
        TensorMap { path: path.into(), format, tensors, skipped, facts, layers, modules }
    }

    /// The modules of a Torch7 network: each before what it contains, those of a container in its order. Of files of other
    /// formats, none.
    pub fn modules(&self) -> &[TorchModule] {
        &self.modules
    }

    /// Reads the tensor of this name and shape.
    ///
    /// # Errors
    /// [`Error::Tensor`] if it is missing or of another shape; [`Error::Weights`] if the file is damaged there.
    pub fn get(&self, name: &str, expected: impl Into<Shape>) -> Result<Tensor> {
        self.view(name, expected)?.read_from(name, &self.path)
    }

    /// Reads the tensor of this name, whatever its shape.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is missing, or the file is damaged there.
    pub fn read(&self, name: &str) -> Result<Tensor> {
        let missing = || Error::weights(&self.path, format!("holds no tensor `{name}`"));
        self.tensors.get(name).ok_or_else(missing)?.read_from(name, &self.path)
    }

    /// The tensor of this name and shape, not read yet.
    pub(super) fn view(&self, name: &str, expected: impl Into<Shape>) -> Result<&TensorView> {
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
                    None => match self.skipped.values().filter(|why| *why == QUANTIZED).count() {
                        0 => format!(
                            "but it is missing among the file's {} tensors: is this the right model's file, and whole?",
                            self.tensors.len()
                        ),
                        n => format!("but {n} of the file's tensors are {QUANTIZED}: save the model as floats"),
                    },
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
    pub fn refuse_extra(&self, used: &BTreeSet<String>, harmless: impl Fn(&str, &TensorView) -> bool) -> Result<()> {
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

/// Opens a weights file of any known format. A TensorFlow checkpoint may be given by its `.index` file, by any of its
/// `.data-…` files, or by the prefix that they share; a SavedModel, and CSV files, by their folder. Tensors are read from
/// it when they are asked for.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Weights`] if it is damaged or of no known format.
pub fn load(path: impl AsRef<Path>) -> Result<TensorMap> {
    let path = path.as_ref();
    if let Some(index) = checkpoint::index_of(path) {
        let source = Source::open(&index)?;
        if is_index(&source) {
            return load_checkpoint(path, &index, &source);
        }
    }
    if path.is_dir() {
        return load_folder(path);
    }
    let source = Source::open(path)?;
    if is_index(&source) {
        return load_checkpoint(path, path, &source);
    }
    load_source(path, &source)
}

/// Reads a weights file from memory, as [`load`] does; `path` is for messages. A checkpoint needs more than one file:
/// see [`load_checkpoint_bytes`].
///
/// # Errors
/// [`Error::Weights`] if it is damaged or of no known format.
pub fn load_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<TensorMap> {
    load_source(path.as_ref(), &Source::memory(bytes))
}

/// Reads a TensorFlow checkpoint from memory: the `.index` file and the `.data` files in order.
///
/// # Errors
/// [`Error::Weights`] if either is damaged.
pub fn load_checkpoint_bytes(path: impl AsRef<Path>, index: &[u8], shards: &[&[u8]]) -> Result<TensorMap> {
    let path = path.as_ref();
    let shards: Vec<Source> = shards.iter().map(|&shard| Source::memory(shard)).collect();
    checkpoint::read_index(index)
        .and_then(|index| checkpoint::read(&index, &shards))
        .map_err(|problem| Error::weights(path, problem))
        .map(|out| out.finish(path, Format::Checkpoint))
}

/// Reads CSV files from memory, by their names: a tensor each, as [`load`] reads a folder of them.
///
/// # Errors
/// [`Error::Data`] naming file and line if one holds anything but rows of numbers, [`Error::Weights`] if two have one name.
pub fn load_csv_bytes(path: impl AsRef<Path>, files: &[(&str, &[u8])]) -> Result<TensorMap> {
    let path = path.as_ref();
    let mut out = Collector::new(0);
    files.iter().try_for_each(|(name, bytes)| csv::read(&path.join(name), bytes, &mut out))?;
    Ok(out.finish(path, Format::CsvFolder))
}

fn is_index(source: &Source) -> bool {
    source.tail(checkpoint::FOOTER).is_ok_and(|tail| checkpoint::is_index(&tail))
}

fn load_checkpoint(path: &Path, index_path: &Path, source: &Source) -> Result<TensorMap> {
    let index = source.all().and_then(|bytes| checkpoint::read_index(&bytes));
    let index = index.map_err(|problem| Error::weights(index_path, problem))?;
    let shards = checkpoint::shard_paths(index_path, index.shards)
        .map_err(|problem| Error::weights(index_path, problem))?
        .iter()
        .map(|shard| Source::open(shard))
        .collect::<Result<Vec<_>>>()?;
    let out = checkpoint::read(&index, &shards).map_err(|problem| Error::weights(path, problem))?;
    Ok(out.finish(path, Format::Checkpoint))
}

/// A folder of `.csv` files, or a SavedModel's, whose variables are a checkpoint, or constants of its graph.
fn load_folder(path: &Path) -> Result<TensorMap> {
    let (graph, index) = (path.join("saved_model.pb"), path.join("variables/variables.index"));
    if graph.is_file() {
        return match index.is_file() {
            true => load_checkpoint(path, &index, &Source::open(&index)?),
            false => load_source(path, &Source::open(&graph)?),
        };
    }
    let files = csv::files(path)?;
    if files.is_empty() {
        let problem = "is a folder, and no SavedModel, nor one of CSV files: name a weights file in it, or a \
                       checkpoint's prefix";
        return Err(Error::weights(path, problem));
    }
    let mut out = Collector::new(0);
    for file in &files {
        csv::read(file, &std::fs::read(file).map_err(Error::io(file, "read"))?, &mut out)?;
    }
    Ok(out.finish(path, Format::CsvFolder))
}

fn load_source(path: &Path, source: &Source) -> Result<TensorMap> {
    parse(path, source).map_err(|problem| Error::weights(path, problem)).map(|(format, out)| out.finish(path, format))
}

/// As much of a file's beginning as tells its format.
const HEAD: usize = 1 << 10;

fn parse(path: &Path, source: &Source) -> Parsed<(Format, Collector)> {
    let mut out = Collector::new(source.len());
    let head = source.head(HEAD)?;
    let format = if head.starts_with(npy::MAGIC) {
        npy::read_file(source, &mut out)?;
        Format::Npy
    } else if head.starts_with(HDF5) {
        packed::keras(source, &mut out)?
    } else if head.starts_with(b"PK\x03\x04") {
        packed::zip(source, &mut out)?
    } else if torch::is_legacy(&head) {
        torch::read_legacy(source, &mut out)?;
        Format::Torch
    } else if safetensors::is(&head) {
        safetensors::read(source, &mut out)?;
        Format::Safetensors
    } else if onnx::is(&head) {
        let layers = onnx::read(source, path.parent().unwrap_or(Path::new("")), &mut out)?;
        out.set_layers(layers);
        Format::Onnx
    } else if tflite::is(&head) {
        let layers = tflite::read(source, &mut out)?;
        out.set_layers(layers);
        Format::Tflite
    } else if joblib::is(&head) {
        joblib::read(source, &mut out)?;
        Format::Joblib
    } else if torch7::is(&head) {
        let modules = torch7::read(source, &head, &mut out)?;
        out.set_modules(modules);
        Format::Torch7
    } else if is_index(source) {
        return Err("is a checkpoint's index alone: its .data files are needed beside it".into());
    } else if tensorflow::is_meta(source) {
        return Err(
            "is a checkpoint's .meta, which describes the graph and has no weights: give the checkpoint's prefix"
                .into(),
        );
    } else if tensorflow::is_graph(&head) {
        tensorflow::read(source, &mut out)?;
        Format::FrozenGraph
    } else if tensorflow::is_saved_model(&head) {
        tensorflow::read_saved_model(source, &mut out)?;
        Format::FrozenGraph
    } else if caffe::is(&head) {
        caffe::read(source, &mut out)?;
        Format::Caffe
    } else {
        return Err(unknown(&head));
    };
    match out.is_empty() {
        true => Err(format!("is a {format} file, {}", out.why_empty())),
        false => Ok((format, out)),
    }
}

/// What is wrong with a binary file, in words; what a problem says by itself stays as it is: a cut, or data that lie elsewhere.
fn damaged(what: &str, problem: String) -> String {
    match problem.starts_with("is ") || problem.starts_with("its data ") {
        true => problem,
        false => format!("is a damaged or cut {what} ({problem}); fetch it again"),
    }
}

/// The first bytes of an HDF5 file.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// What other crates unpack.
#[cfg(feature = "decode")]
mod packed {
    use super::archive::Archive;
    use super::{Collector, Format, Parsed, Source, keras, npz, torch};

    pub fn keras(source: &Source, out: &mut Collector) -> Parsed<Format> {
        keras::read(source, out)?;
        Ok(Format::Keras)
    }

    pub fn zip(source: &Source, out: &mut Collector) -> Parsed<Format> {
        let archive = Archive::open(source)?;
        if torch::is_archive(&archive) {
            torch::read_archive(&archive, out)?;
            return Ok(Format::Torch);
        }
        if keras::is_archive(&archive) {
            keras::read_archive(&archive, out)?;
            return Ok(Format::Keras);
        }
        npz::read(&archive, out)?;
        Ok(Format::Npz)
    }
}

/// What other crates would unpack.
#[cfg(not(feature = "decode"))]
mod packed {
    use super::{Collector, Format, Parsed, Source};

    pub fn keras(_: &Source, _: &mut Collector) -> Parsed<Format> {
        Err("is HDF5, which this build cannot read; build with the feature `decode`, or save it as .safetensors".into())
    }

    pub fn zip(_: &Source, _: &mut Collector) -> Parsed<Format> {
        Err("is a zip archive, which this build cannot read; build with the feature `decode`, or save it as .safetensors"
            .into())
    }
}

/// Says what an unreadable file probably is, and the way out.
fn unknown(head: &[u8]) -> String {
    const KNOWN: &str = "npy, npz, TensorFlow .pb, SavedModel or checkpoint, Keras .h5 or .keras, PyTorch .pt, .safetensors, ONNX, TFLite, \
                         .caffemodel, Torch7's .t7, folders of CSV files and joblib's are the formats that can be read";
    let guess = if head.is_empty() {
        "is empty: fetch it again"
    } else if head.starts_with(b"version https://git-lfs") {
        "is a Git LFS pointer, not the file itself: run `git lfs pull`"
    } else if head.starts_with(b"\x1f\x8b") {
        "is gzip: unpack it first"
    } else if shape_predictor::is(head) {
        "is a shape predictor of dlib's, which finds landmarks and is no network"
    } else if head.get(257..262) == Some(b"ustar") {
        "is a tar archive: unpack it first (a PyTorch file this old must be saved again by torch.save)"
    } else if head.starts_with(b"\x80") {
        "is a bare pickle: save it by numpy.save, or by torch.save"
    } else if head.trim_ascii_start().starts_with(b"<") {
        "is a web page, not weights: fetch it again"
    } else {
        "is of no known format, or damaged at its start"
    };
    format!("{guess} ({KNOWN})")
}
