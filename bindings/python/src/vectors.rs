//! Embedding.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray4, PyUntypedArrayMethods};
use pyo3::prelude::*;
use warpface::face::{self, EmbedOptions, Embeddings, Standardization, Standardized};
use warpface::models::{classifier, seeded_network};
use warpface::networks::{ModelDef, NetworkSpec};
use warpface::train::parameters::{Parameters, Spec};
use warpface::weights::{self, folder};
use warpface::{Error, Graph, Result};

use crate::device::{Device, Handle};
use crate::errors::{Raise, usage};
use crate::pictures::pictures;

/// Batches between two looks for a signal: where they overlap, a few keep the device busy.
const BATCHES: usize = 8;

/// Values of an embedding of facenet-pytorch's networks.
const FACENET: usize = 512;

/// The folders that are looked into for weights, in order.
#[pyfunction]
pub fn weights_folders() -> Vec<PathBuf> {
    folder::all(None)
}

/// Turns crops into vectors.
#[pyclass(frozen, module = "warpface._native")]
pub struct Embedder {
    embedder: face::Embedder,
    handle: Arc<Handle>,
    #[pyo3(get)]
    model: Option<PathBuf>,
}

/// An Inception-ResNet-v1 for crops of `side` pixels.
fn facenet(side: usize) -> NetworkSpec {
    NetworkSpec::new(ModelDef::InceptionResnetV1).embedding_size(FACENET).side(side)
}

/// A network drawn by a seed, with its classifier where there are `classes`.
fn drawn(side: usize, classes: Option<usize>, seed: u64) -> Result<Graph> {
    let Some(classes) = classes else { return seeded_network(facenet(side), seed) };
    let spec = Spec { network: facenet(side), classes: Some(classes), gamma: false };
    let parameters = Parameters::new(spec)?;
    let unfolded = parameters.unfolded(&parameters.initial(seed));
    with_classifier(unfolded, Path::new("a drawn network"))
}

/// The network of a file with its classifier, or with one of `classes` that is drawn.
fn classifier_of(file: &Path, side: usize, classes: Option<usize>, seed: u64) -> Result<Graph> {
    let mut unfolded = weights::network::unfolded(&weights::load(file)?)?;
    unfolded.network = unfolded.network.resized(side)?;
    if let Some(classes) = classes {
        let spec = Spec { network: unfolded.network, classes: Some(classes), gamma: false };
        let parameters = Parameters::new(spec)?;
        unfolded.logits = parameters.unfolded(&parameters.initial(seed)).logits;
    }
    with_classifier(unfolded, file)
}

fn with_classifier(mut unfolded: weights::network::Unfolded, file: &Path) -> Result<Graph> {
    let logits = unfolded.logits.take().ok_or_else(|| {
        Error::weights(file, "holds no classifier, only the network up to its embeddings; `num_classes` draws one")
    })?;
    classifier(&unfolded.fold(), logits)
}

#[pymethods]
impl Embedder {
    /// A model's file, or the best that there is in a folder, else in the folders that the command looks into.
    #[new]
    #[pyo3(signature = (device, model = None, weights = None, precision = "f32", standardize = None, size = None,
        model_def = None, batch = None, allow_modified_weights = false))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        device: &Device,
        model: Option<PathBuf>,
        weights: Option<PathBuf>,
        precision: &str,
        standardize: Option<&str>,
        size: Option<usize>,
        model_def: Option<&str>,
        batch: Option<usize>,
        allow_modified_weights: bool,
    ) -> PyResult<Self> {
        let handle = device.handle();
        let loaded = py.detach(|| {
            let model = model.map_or_else(|| folder::best_model(weights.as_deref()), Ok)?;
            let standardize: Standardization = standardize.map(str::parse).transpose()?.into();
            let mut options = EmbedOptions::default()
                .precision(precision.parse()?)
                .standardize(standardize)
                .size(size)
                .model_def(model_def.map(str::parse).transpose()?)
                .allow_modified_weights(allow_modified_weights);
            options.batch = batch.map(|n| n.max(1));
            Ok((face::Embedder::load(handle.device()?, &model, options)?, model))
        });
        let (embedder, model) = loaded.raise(py)?;
        Ok(Embedder { embedder, handle, model: Some(model) })
    }

    /// An Inception-ResNet-v1 for crops of `side` pixels, drawn by a seed: of vectors, or with `classes` of logits.
    #[staticmethod]
    #[pyo3(signature = (device, side, classes, seed))]
    fn drawn(py: Python<'_>, device: &Device, side: usize, classes: Option<usize>, seed: u64) -> PyResult<Self> {
        Self::of(py, device, side, None, |_| drawn(side, classes, seed))
    }

    /// A file's network with its classifier, or with one of `classes` that is drawn by a seed.
    #[staticmethod]
    #[pyo3(signature = (device, model, side, classes, seed))]
    fn classifier(
        py: Python<'_>,
        device: &Device,
        model: PathBuf,
        side: usize,
        classes: Option<usize>,
        seed: u64,
    ) -> PyResult<Self> {
        Self::of(py, device, side, Some(model), |file| classifier_of(file, side, classes, seed))
    }

    /// Length of a row.
    #[getter]
    fn dim(&self) -> usize {
        self.embedder.dim()
    }

    /// Side of the crops, in pixels.
    #[getter]
    fn size(&self) -> usize {
        self.embedder.size()
    }

    /// What is done to the pixels first.
    #[getter]
    fn standardize(&self) -> String {
        self.embedder.standardize().to_string()
    }

    /// How faces are cut out for the model.
    #[getter]
    fn method(&self) -> String {
        self.embedder.alignment().method.to_string()
    }

    /// The rows of crops, uint8 `[size, size, 3]`.
    fn embed<'py>(&self, py: Python<'py>, crops: Vec<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let mut all = Vec::with_capacity(crops.len() * self.embedder.dim());
        let at_once = self.at_once();
        for (number, chunk) in crops.chunks(at_once).enumerate() {
            let chunk = pictures(chunk, "crop", number * at_once)?;
            let embed = || self.embedder.embed(&chunk.iter().collect::<Vec<_>>());
            let rows = py.detach(|| self.handle.work(embed));
            all.extend(rows.raise(py)?.into_vec());
            py.check_signals()?;
        }
        self.array(py, all)
    }

    /// The rows of standardized crops: `[n, size, size, 3]`, or with `planes` `[n, 3, size, size]`, which lie without gaps.
    fn embed_standardized<'py>(
        &self,
        py: Python<'py>,
        crops: PyReadonlyArray4<'py, f32>,
        planes: bool,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let wrong = || usage(py, "crops: expected an array in C's order, without gaps".to_owned());
        let values = crops.as_slice().ok().filter(|_| crops.is_c_contiguous()).ok_or_else(wrong)?;
        let mut all = Vec::with_capacity(crops.as_array().dim().0 * self.embedder.dim());
        let each = self.embedder.size() * self.embedder.size() * 3;
        for chunk in values.chunks(self.at_once() * each) {
            let chunk = if planes { Standardized::Planes(chunk) } else { Standardized::Pixels(chunk) };
            let rows = py.detach(|| self.handle.work(|| self.embedder.embed_standardized(chunk)));
            all.extend(rows.raise(py)?.into_vec());
            py.check_signals()?;
        }
        self.array(py, all)
    }
}

impl Embedder {
    fn of(
        py: Python<'_>,
        device: &Device,
        side: usize,
        model: Option<PathBuf>,
        graph: impl FnOnce(&Path) -> Result<Graph> + Send,
    ) -> PyResult<Self> {
        let handle = device.handle();
        let embedder = py.detach(|| {
            let device = handle.device()?;
            let graph = graph(model.as_deref().unwrap_or(Path::new("")))?;
            face::Embedder::new(device, graph, EmbedOptions::default().size(side))
        });
        Ok(Embedder { embedder: embedder.raise(py)?, handle, model })
    }

    /// Crops between two looks for a signal.
    fn at_once(&self) -> usize {
        let batches = if self.embedder.device().backend().overlaps() { BATCHES } else { 1 };
        self.embedder.batch() * batches
    }

    fn array<'py>(&self, py: Python<'py>, rows: Vec<f32>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let rows = Embeddings::new(self.embedder.dim(), rows);
        let shape = [rows.len(), self.embedder.dim()];
        rows.into_vec().into_pyarray(py).reshape(shape)
    }
}
