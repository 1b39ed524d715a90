//! What runs on the device, on the one thread that owns it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::metrics::Metrics;
use super::problem::Problem;
use super::queue::{Batch, Found, Given, Query, Queue, Waiting};
use crate::face::{Aligner, Detector, Embedder, Embeddings, Face, Input};
use crate::image::{self, Rgb8};
use crate::ops::Metric;
use crate::vectors::search::Hit;
use crate::{Error, Result};

/// Rows that are searched.
pub trait Rows {
    /// The `k` nearest rows of each query, nearest first.
    ///
    /// # Errors
    /// The device's.
    fn nearest(&self, queries: &Embeddings, k: usize) -> Result<Vec<Vec<Hit>>>;

    /// A row's name, where it has one.
    fn name(&self, row: usize) -> Option<&str>;

    /// How many there are.
    fn count(&self) -> usize;
}

/// Below which distance two faces are of one person.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// By which distance.
    pub metric: Metric,
    /// Nearer than this is the same person.
    pub distance: f64,
    /// Who measured it, on what.
    pub origin: String,
}

/// What answers: networks on a device, and what is known of them.
pub struct Engine<'a> {
    /// Finds faces.
    pub detector: &'a Detector,
    /// Turns crops into vectors.
    pub embedder: &'a Embedder,
    /// Cuts faces out.
    pub aligner: Aligner,
    /// Rescale crops of another size; else their middle is taken, or black added.
    pub resize: bool,
    /// What is searched, if anything.
    pub rows: Option<&'a dyn Rows>,
    /// For each distance that is served.
    pub thresholds: Vec<Threshold>,
    /// What the model is called in answers: its file's name.
    pub model: String,
}

impl fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("model", &self.model).finish_non_exhaustive()
    }
}

/// What handlers know of an engine.
pub(super) struct Facts {
    pub size: usize,
    pub dim: usize,
    pub aligner: Aligner,
    pub resize: bool,
    pub rows: Option<usize>,
    pub thresholds: Vec<Threshold>,
    pub model: String,
    pub standardize: String,
}

impl Facts {
    /// The network's input of a picture that is a crop already.
    pub fn input(&self, crop: Rgb8) -> Rgb8 {
        match self.resize {
            true => image::resize_bilinear_pillow(&crop, self.size, self.size),
            false => image::crop_or_pad(&crop, self.size),
        }
    }

    /// The threshold of a distance.
    pub fn threshold(&self, metric: Metric) -> Option<&Threshold> {
        self.thresholds.iter().find(|threshold| threshold.metric == metric)
    }
}

impl Engine<'_> {
    pub(super) fn facts(&self) -> Facts {
        Facts {
            size: self.embedder.size(),
            dim: self.embedder.dim(),
            aligner: self.aligner.clone(),
            resize: self.resize,
            rows: self.rows.map(Rows::count),
            thresholds: self.thresholds.clone(),
            model: self.model.clone(),
            standardize: self.embedder.standardize().to_string(),
        }
    }

    /// Runs what is in the queue until it is closed and empty.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]: nothing runs any more.
    pub(super) fn run(&self, queue: &Queue, metrics: &Metrics, most: usize, delay: Duration) -> Result<()> {
        while let Some(batch) = queue.next(most, delay) {
            let start = Instant::now();
            let (kind, n) = match &batch {
                Batch::Crops(crops) => ("embed", crops.len()),
                Batch::Photographs(photographs) => ("detect", photographs.len()),
                Batch::Searches(searches) => ("search", searches.len()),
            };
            let lost = match batch {
                Batch::Crops(crops) => settle(crops, &|crops| self.embed(crops)),
                Batch::Photographs(photographs) => settle(photographs, &|photos| self.detect(photos)),
                Batch::Searches(searches) => settle(searches, &|searches| self.search(searches)),
            };
            metrics.ran(kind, n, start.elapsed());
            lost?;
        }
        Ok(())
    }

    fn embed(&self, crops: &[&Given]) -> Result<Vec<Vec<f32>>> {
        let inputs: Vec<Input> = crops.iter().map(|given| given.input()).collect();
        Ok(self.embedder.embed_inputs(&inputs)?.rows().map(<[f32]>::to_vec).collect())
    }

    fn detect(&self, photographs: &[&Arc<Rgb8>]) -> Result<Vec<Vec<Face>>> {
        self.detector.detect(&photographs.iter().map(|photo| &***photo).collect::<Vec<_>>())
    }

    /// Searches of one number of rows run together.
    fn search(&self, queries: &[&Query]) -> Result<Vec<Vec<Found>>> {
        let rows = self.rows.ok_or_else(|| Error::invalid("search", "there is nothing to be searched"))?;
        let k = queries.iter().map(|query| query.k).max().unwrap_or_default();
        let values = queries.iter().flat_map(|query| query.embedding.iter().copied()).collect();
        let nearest = rows.nearest(&Embeddings::new(self.embedder.dim(), values), k)?;
        let found =
            |hit: &Hit| Found { row: hit.row, distance: hit.distance, name: rows.name(hit.row).map(str::to_owned) };
        Ok(nearest.iter().zip(queries).map(|(hits, query)| hits.iter().take(query.k).map(found).collect()).collect())
    }
}

/// Runs a batch and tells each who waits; where it fails, each by itself, so that one harms no other.
fn settle<I, O>(batch: Vec<Waiting<I, O>>, run: &dyn Fn(&[&I]) -> Result<Vec<O>>) -> Result<()> {
    match run(&batch.iter().map(|one| &one.input).collect::<Vec<_>>()) {
        Ok(results) => batch.into_iter().zip(results).for_each(|(one, result)| one.tell(Ok(result))),
        Err(error) if batch.len() == 1 || matches!(error, Error::DeviceLost { .. }) => {
            batch.into_iter().for_each(|one| one.tell(Err(Problem::of(&error))));
            return if matches!(error, Error::DeviceLost { .. }) { Err(error) } else { Ok(()) };
        }
        Err(_) => {
            for one in batch {
                settle(vec![one], run)?;
            }
        }
    }
    Ok(())
}
