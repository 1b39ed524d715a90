//! Turning crops into vectors.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::{Device, Executable, Module};
use crate::image::{self, Rgb8};
use crate::models::inception_resnet_v1;
use crate::ops::Standardize;
use crate::weights;
use crate::{Error, Graph, Result, Shape};

/// Writes the network's input for a crop: `[h, w, 3]`.
fn standardize(mode: Standardize, crop: &Rgb8, to: &mut [f32]) {
    match mode {
        Standardize::Fixed => image::fixed_standardize(crop, to),
        Standardize::Prewhiten => image::prewhiten(crop, to),
    }
}

/// Crops that run as one batch on a device. Any number gives the same bits; these keep weights in cache and
/// activations in bounds.
const BATCH: usize = 16;

/// Turns aligned crops into unit vectors.
pub struct Embedder {
    device: Device,
    module: Arc<dyn Module>,
    graph: Arc<Graph>,
    standardize: Standardize,
    size: usize,
    dim: usize,
    batch: usize,
    full: Box<dyn Executable>,
    /// The plan of the last smaller batch: one photograph at a time should not be planned each time.
    rest: Mutex<Option<Arc<dyn Executable>>>,
}

impl Embedder {
    /// An embedder with a published FaceNet file of any format (see [`weights::load`]), for crops of 160 pixels.
    ///
    /// # Errors
    /// [`Error::Weights`] and [`Error::Tensor`] if the file is not such a model; [`Error::Device`] if it does not fit.
    pub fn load(device: &Device, file: &Path, standardize: Standardize) -> Result<Self> {
        weights::verify(file, false)?;
        let weights = weights::inception_resnet_v1(&weights::load(file)?)?;
        Self::new(device, inception_resnet_v1(&weights)?, standardize, 160)
    }

    /// An embedder of a graph from `[n, size, size, 3]` to `[n, d]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the graph does not take such crops; [`Error::Device`] if it does not fit.
    pub fn new(device: &Device, graph: Graph, standardize: Standardize, size: usize) -> Result<Self> {
        let graph = Arc::new(graph);
        let module = device.backend().load(graph.clone())?;
        let batch = BATCH;
        let full = module.plan(&[Shape::from([batch, size, size, 3])])?;
        let dim = match full.plan().outputs.as_slice() {
            [y] if y.shape.rank() == 2 => y.shape.last(),
            _ => return Err(Error::invalid("embedding network", "expected one output [n, d]")),
        };
        Ok(Embedder {
            device: device.clone(),
            module,
            graph,
            standardize,
            size,
            dim,
            batch,
            full,
            rest: Mutex::default(),
        })
    }

    /// Length of an embedding.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Side of the crops, in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What is done to the pixels first.
    pub fn standardize(&self) -> Standardize {
        self.standardize
    }

    /// The device it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The network.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The embeddings of crops of [`Embedder::size`] pixels squared, row after row: `[n, dim]`. A crop's embedding
    /// does not depend on the others.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a crop of another size; [`Error::Device`] if the device fails.
    pub fn embed(&self, crops: &[&Rgb8]) -> Result<Vec<f32>> {
        if let Some(bad) = crops.iter().find(|crop| (crop.width(), crop.height()) != (self.size, self.size)) {
            let problem = format!("expected {0} x {0} pixels, got {1} x {2}", self.size, bad.width(), bad.height());
            return Err(Error::invalid("crop", problem));
        }
        let pixels = self.size * self.size * 3;
        let mut embeddings = Vec::with_capacity(crops.len() * self.dim);
        for crops in crops.chunks(self.batch) {
            let mut input = vec![0.0; crops.len() * pixels];
            for (crop, to) in crops.iter().zip(input.chunks_exact_mut(pixels)) {
                standardize(self.standardize, crop, to);
            }
            let rest;
            let executable = if crops.len() == self.batch {
                &*self.full
            } else {
                rest = self.plan_rest(crops.len())?;
                &*rest
            };
            embeddings.append(&mut executable.run(&[&input])?[0]);
        }
        Ok(embeddings)
    }

    /// A plan for `n` crops: the last one, if it was for as many.
    fn plan_rest(&self, n: usize) -> Result<Arc<dyn Executable>> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*rest {
            Some(plan) if plan.plan().inputs[0].shape.dims()[0] == n => Ok(plan.clone()),
            _ => {
                let plan: Arc<dyn Executable> = self.module.plan(&[Shape::from([n, self.size, self.size, 3])])?.into();
                Ok(rest.insert(plan).clone())
            }
        }
    }
}
