//! Embedding networks as graphs that other programs run: ONNX, TensorFlow's frozen graph, and its SavedModel.
//!
//! The graph is that of inference: batch norms are folded, crops come in standardized, embeddings of length 1 come out, and
//! the number of images is open. Layers have the names of the network's definition under TensorFlow's scope,
//! `InceptionResnetV1/Conv2d_1a_3x3`; the input is called `input` and the output `embeddings`, as davidsandberg/facenet calls
//! them. What is known of the input goes with the file, and [`load`](super::load) reads it back.
//!
//! | | input | where the facts are |
//! |---|---|---|
//! | ONNX, opset 17 | `[n, 3, side, side]` | `metadata_props`, beside `warpface.layout` |
//! | TensorFlow | `[n, side, side, 3]` | attributes of the placeholder, `_warpface.standardize` and so on |
//!
//! Every op is turned before anything is written, and weights are read one by one when they are.
//!
//! ```no_run
//! use warpface::models::embedding_network_of;
//! use warpface::train::checkpoint;
//! use warpface::weights::{self, export::Export};
//!
//! let file = "weights/facenet_keras.h5";
//! let map = weights::load(file)?;
//! // What is known of a published file goes by its hash.
//! let facts = checkpoint::facts(&map, weights::verify(file, false)?);
//! let (graph, network) = embedding_network_of(&map, |_| facts.image_size)?;
//! Export::new(graph, network, facts).onnx("face.onnx")?;
//! # Ok::<(), warpface::Error>(())
//! ```

mod draft;
mod message;
mod onnx;
mod tensorflow;
mod windows;

use std::fs;
use std::path::Path;

use crate::error::{Error, Field, Result, message};
use crate::files::{Aside, FolderAside};
use crate::graph::Graph;
use crate::networks::NetworkSpec;
use crate::ops::{Op, Standardize};
use crate::shape::Shape;
use crate::weights::ModelFacts;

use draft::{At, Draft, Lowered};
use message::Message;

/// Bytes that a protocol buffer may have.
const LARGEST: u64 = i32::MAX as u64;

/// The file that makes a folder a SavedModel.
const SAVED_MODEL: &str = "saved_model.pb";

/// What TensorFlow and Keras put into a SavedModel's folder besides.
const OF_SAVED_MODELS: [&str; 6] =
    ["saved_model.pbtxt", "fingerprint.pb", "keras_metadata.pb", "variables", "assets", "assets.extra"];

/// An embedding network on its way out.
#[derive(Clone, Debug)]
pub struct Export {
    graph: Graph,
    network: NetworkSpec,
    facts: ModelFacts,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Constants: weights, biases, and the ops' own.
    pub tensors: usize,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Export {
    /// Of a graph of inference from [`models`](crate::models), which network it is, and what else is known of its input. The
    /// file is for crops of the network's side.
    pub fn new(graph: Graph, network: NetworkSpec, facts: ModelFacts) -> Self {
        let told = ModelFacts::default().image_size(Some(network.side)).model_def(Some(network.def));
        Export { graph, network, facts: told.or(facts) }
    }

    /// What goes with the file.
    pub fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    /// Writes an ONNX model.
    ///
    /// # Errors
    /// [`Error::Invalid`] names an op that ONNX does not have; [`Error::TooLarge`] for more than a protocol buffer holds; what
    /// reading the weights gives; [`Error::Io`].
    pub fn onnx(&self, path: impl AsRef<Path>) -> Result<Written> {
        self.file(path.as_ref(), onnx::model(self)?)
    }

    /// Writes a TensorFlow graph whose weights are constants.
    ///
    /// # Errors
    /// As [`Export::onnx`].
    pub fn frozen_graph(&self, path: impl AsRef<Path>) -> Result<Written> {
        self.file(path.as_ref(), tensorflow::graph(self)?)
    }

    /// Writes a folder that is a TensorFlow SavedModel, with the signature `serving_default`, and its weights in the graph.
    /// A SavedModel that is there is replaced; folders above it are made.
    ///
    /// # Errors
    /// As [`Export::onnx`]; [`Error::Data`] for a folder that is there and holds anything else.
    pub fn saved_model(&self, folder: impl AsRef<Path>) -> Result<Written> {
        let folder = folder.as_ref();
        let (message, tensors) = tensorflow::saved_model(self)?;
        let bytes = fits(folder, &message)?;
        check_replaceable(folder)?;
        let aside = FolderAside::create(folder).map_err(Error::io(folder, "create"))?;
        put(&aside.path().join(SAVED_MODEL), folder, &message)?;
        aside.put().map_err(Error::io(folder, "write"))?;
        Ok(Written { tensors, bytes })
    }

    fn file(&self, path: &Path, (message, tensors): (Message, usize)) -> Result<Written> {
        let bytes = fits(path, &message)?;
        put(path, path, &message)?;
        Ok(Written { tensors, bytes })
    }

    /// The graph in a format's ops.
    fn draft(&self, format: &str, lower: impl Fn(&mut At<'_>, &Op) -> Lowered) -> Result<Draft> {
        let side = self.network.side;
        Draft::new(&self.graph, Shape::from([1, side, side, 3]), self.network.def.scope(), format, lower)
    }
}

/// What the input is, for people.
fn describe(export: &Export) -> String {
    let pixels = match export.facts.standardize {
        Some(Standardize::Fixed) => "(x - 127.5) / 128",
        Some(Standardize::Prewhiten) => {
            "(x - mean) / max(std, 1 / sqrt(count)), both over all pixels and channels of a crop"
        }
        Some(Standardize::Unit) => "x / 255",
        None => "standardized as in training",
    };
    format!("crops of {0}x{0} pixels: {pixels}", export.network.side)
}

/// Refuses what is more than a protocol buffer holds; else how many bytes it is.
fn fits(path: &Path, message: &Message) -> Result<u64> {
    let bytes = message.len();
    if bytes <= LARGEST {
        return Ok(bytes);
    }
    let problem = message![
        format!(
            "would be {:.1} GB, and a protocol buffer holds 2 GB at most: write a .safetensors or an .npz, by ",
            bytes as f64 / 1e9
        ),
        Field("output")
    ];
    Err(Error::TooLarge { what: path.display().to_string(), problem })
}

/// Writes a message as a file, whole or not at all; `named` is what errors call it.
fn put(path: &Path, named: &Path, message: &Message) -> Result<()> {
    let io = |error| Error::io(named, "write")(error);
    let mut file = Aside::create(path).map_err(Error::io(named, "create"))?;
    message.write(named, &mut file)?;
    file.finish().map_err(io)?;
    file.put().map_err(io)
}

/// Refuses to replace what is no SavedModel.
fn check_replaceable(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    if !folder.is_dir() {
        return Err(Error::data(folder, "is a file, and a SavedModel is a folder: name another"));
    }
    for entry in fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let name = entry.map_err(Error::io(folder, "read"))?.file_name();
        let known = name.to_str().is_some_and(|name| name == SAVED_MODEL || OF_SAVED_MODELS.contains(&name));
        if !known {
            let problem = format!("holds `{}`, which is no SavedModel's: name another folder", name.display());
            return Err(Error::data(folder, problem));
        }
    }
    Ok(())
}
