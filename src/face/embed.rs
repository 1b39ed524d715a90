//! Turning crops into vectors.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::{Alignment, EmbedOptions, Embeddings, Reason};
use crate::Precision;
use crate::backend::{Device, Executable, Module};
use crate::image::{AlignMethod, Rgb8};
use crate::models::embedding_network_of;
use crate::networks::ModelDef;
use crate::ops::Standardize;
use crate::train::checkpoint;
use crate::weights::network::require;
use crate::weights::{self, Entry, ModelFacts};
use crate::{Error, Graph, Result, Shape};

/// Where batches overlap, the last one is filled up to a multiple of this: a plan costs such a device more than some
/// padding crops do, so that remainders share a few.
const REST: usize = 32;

/// Crops that are standardized already, as f32 values, row-major.
#[derive(Clone, Copy, Debug)]
pub enum Standardized<'a> {
    /// `[n, side, side, 3]`: the network's own layout, which is run as it lies.
    Pixels(&'a [f32]),
    /// `[n, 3, side, side]`, as PyTorch has it.
    Planes(&'a [f32]),
}

impl<'a> Standardized<'a> {
    fn values(self) -> &'a [f32] {
        match self {
            Standardized::Pixels(values) | Standardized::Planes(values) => values,
        }
    }
}

/// Turns aligned crops into unit vectors.
pub struct Embedder {
    device: Device,
    module: Arc<dyn Module>,
    graph: Arc<Graph>,
    standardize: Standardize,
    reason: Reason,
    published: Option<&'static Entry>,
    precision: Precision,
    model_def: Option<ModelDef>,
    size: usize,
    size_reason: Reason,
    trained_size: Option<usize>,
    trained_align: Option<AlignMethod>,
    dim: usize,
    batch: usize,
    /// The plan of full batches: memory is taken when there is one.
    full: Mutex<Option<Arc<dyn Executable>>>,
    /// The plan of the last smaller batch: one photograph at a time should not be planned each time.
    rest: Mutex<Option<Arc<dyn Executable>>>,
    /// The plan of the last batch on one thread.
    alone: Mutex<Option<Arc<dyn Executable>>>,
}

impl Embedder {
    /// An embedder with a FaceNet file of any format (see [`weights::load`]).
    ///
    /// # Errors
    /// [`Error::Weights`] and [`Error::Tensor`] if the file is not such a model; [`Error::Device`] if the device does
    /// not have the precision; [`Error::OutOfMemory`] if the model does not fit.
    pub fn load(device: &Device, file: impl AsRef<Path>, options: impl Into<EmbedOptions>) -> Result<Self> {
        let (file, options) = (file.as_ref(), options.into());
        let read = || {
            let map = weights::load(file)?;
            let mut facts = checkpoint::facts(&map, None);
            let (graph, network) = embedding_network_of(&map, |network| {
                facts = facts.or(network.facts());
                Some(options.crop_size(&facts).0)
            })?;
            require(&map, network.def, options.model_def)?;
            Ok((Self::build(device, graph, &options, &facts)?, map, network))
        };
        // The file is held against its hash while its weights are read and packed.
        let (published, read) =
            device.install(|| rayon::join(|| weights::verify(file, options.allow_modified_weights), read));
        let (published, (embedder, map, network)): (_, (Embedder, _, _)) = (published?, read?);
        let facts = checkpoint::facts(&map, published).or(network.facts());
        let (standardize, reason) = options.standardize.of(&facts, embedder.dim);
        let (_, size_reason) = options.crop_size(&facts);
        let published_align = || embedder.model_def.and_then(ModelDef::alignment);
        let (trained_size, trained_align) = (facts.image_size, facts.align.or_else(published_align));
        Ok(Embedder { published, standardize, reason, size_reason, trained_size, trained_align, ..embedder })
    }

    /// An embedder of a graph from `[n, size, size, 3]` to `[n, d]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the graph does not take such crops; [`Error::Device`] if the device does not have the
    /// precision; [`Error::OutOfMemory`] if the model does not fit.
    pub fn new(device: &Device, graph: Graph, options: impl Into<EmbedOptions>) -> Result<Self> {
        let options = options.into();
        Self::build(device, graph, &options, &ModelFacts::default())
    }

    fn build(device: &Device, graph: Graph, options: &EmbedOptions, facts: &ModelFacts) -> Result<Self> {
        let (size, size_reason) = options.crop_size(facts);
        let (graph, precision) = (Arc::new(graph), options.precision);
        let shapes = graph.shapes(&[Shape::from([1, size, size, 3])])?;
        let dim = match graph.outputs() {
            [y] if shapes[y.index()].rank() == 2 => shapes[y.index()].last(),
            _ => return Err(Error::invalid("embedding network", "expected one output [n, d]")),
        };
        let module = device.backend().load_in(graph.clone(), precision)?;
        let batch = options.batch.unwrap_or_else(|| device.backend().batch()).max(1);
        let (standardize, reason) = options.standardize.of(facts, dim);
        Ok(Embedder {
            device: device.clone(),
            module,
            graph,
            standardize,
            reason,
            published: None,
            precision,
            model_def: facts.model_def,
            size,
            size_reason,
            trained_size: facts.image_size,
            trained_align: facts.align,
            dim,
            batch,
            full: Mutex::default(),
            rest: Mutex::default(),
            alone: Mutex::default(),
        })
    }

    /// The same, with at most `n` crops in a batch, at least one. Any number gives the same bits.
    pub fn in_batches(self, n: usize) -> Self {
        Embedder { batch: n.max(1), full: Mutex::default(), rest: Mutex::default(), ..self }
    }

    /// Crops of a full batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// In which arithmetic it runs.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Length of an embedding.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Side of the crops, in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Which network it is, where it was read from a file.
    pub fn model_def(&self) -> Option<ModelDef> {
        self.model_def
    }

    /// How faces are cut out for it: in its size, by the method that it was trained with, else as the published models'.
    pub fn alignment(&self) -> Alignment {
        let method = self.trained_align.unwrap_or_default();
        Alignment { size: self.size, method, ..Alignment::default() }
    }

    /// Why crops have this size.
    pub fn size_reason(&self) -> Reason {
        self.size_reason
    }

    /// Side of the crops that the model was trained with, in pixels, where that is known.
    pub fn trained_size(&self) -> Option<usize> {
        self.trained_size
    }

    /// How the faces that the model was trained with were cut out, where that is known.
    pub fn trained_align(&self) -> Option<AlignMethod> {
        self.trained_align
    }

    /// What is done to the pixels first.
    pub fn standardize(&self) -> Standardize {
        self.standardize
    }

    /// Why it is done.
    pub fn standardize_reason(&self) -> Reason {
        self.reason
    }

    /// The published file that the weights are, if they are one.
    pub fn published(&self) -> Option<&'static Entry> {
        self.published
    }

    /// The device it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The network.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The embeddings of crops of [`Embedder::size`] pixels squared, in order. A crop's embedding does not depend on the
    /// others.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a crop of another size; [`Error::Device`] if the device fails.
    pub fn embed(&self, crops: &[&Rgb8]) -> Result<Embeddings> {
        let mut embeddings = Vec::with_capacity(crops.len() * self.dim);
        for (crops, plans, n) in self.batches(crops)? {
            self.stream(&*self.planned(plans, n)?, crops, &mut embeddings)?;
        }
        Ok(Embeddings::new(self.dim, embeddings))
    }

    /// As [`Embedder::embed`], of crops that are standardized already: what the network takes, as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for values that are no whole number of crops of [`Embedder::size`]; [`Error::Device`] if the device
    /// fails.
    pub fn embed_standardized(&self, crops: Standardized<'_>) -> Result<Embeddings> {
        let (values, each) = (crops.values(), self.size * self.size * 3);
        if !values.len().is_multiple_of(each) {
            let problem =
                format!("{} values are no whole number of crops of {1} x {1} pixels", values.len(), self.size);
            return Err(Error::invalid("standardized crops", problem));
        }
        let mut embeddings = Vec::with_capacity(values.len() / each * self.dim);
        for (count, plans, n) in self.parts(values.len() / each) {
            let plan = self.planned(plans, n)?;
            let done = embeddings.len() / self.dim * each;
            for batch in values[done..][..count * each].chunks(n * each) {
                let input = self.network_input(crops, batch, n * each);
                let outputs = plan.run(&[&input])?;
                embeddings.extend_from_slice(&outputs[0][..batch.len() / each * self.dim]);
            }
        }
        Ok(Embeddings::new(self.dim, embeddings))
    }

    /// A batch of standardized crops as the network takes it, filled up to `len` values: borrowed where it lies so already.
    fn network_input<'a>(&self, crops: Standardized<'_>, batch: &'a [f32], len: usize) -> Cow<'a, [f32]> {
        let is_pixels = matches!(crops, Standardized::Pixels(_));
        if is_pixels && batch.len() == len {
            return Cow::Borrowed(batch);
        }
        let (mut input, pixels) = (vec![0.0; len], self.size * self.size);
        if is_pixels {
            input[..batch.len()].copy_from_slice(batch);
            return Cow::Owned(input);
        }
        let crops = input.par_chunks_exact_mut(3 * pixels).zip(batch.par_chunks_exact(3 * pixels));
        self.device.install(|| {
            crops.for_each(|(to, from)| {
                let (red, others) = from.split_at(pixels);
                let (green, blue) = others.split_at(pixels);
                for (to, ((r, g), b)) in to.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
                    to.copy_from_slice(&[*r, *g, *b]);
                }
            })
        });
        Cow::Owned(input)
    }

    /// As [`Embedder::embed`], all crops at once and, where the device is the processor, on the calling thread alone: any
    /// number of threads may do so at a time.
    ///
    /// # Errors
    /// As [`Embedder::embed`].
    pub fn embed_alone(&self, crops: &[&Rgb8]) -> Result<Embeddings> {
        self.check(crops)?;
        let mut embeddings = Vec::with_capacity(crops.len() * self.dim);
        if !crops.is_empty() {
            let shape = [Shape::from([crops.len(), self.size, self.size, 3])];
            let plan = self.kept(&self.alone, crops.len(), || self.module.plan_alone(&shape))?;
            self.stream(&*plan, crops, &mut embeddings)?;
        }
        Ok(Embeddings::new(self.dim, embeddings))
    }

    /// As [`Embedder::embed`], without blocking where the device need not: a browser cannot.
    ///
    /// # Errors
    /// As [`Embedder::embed`].
    pub async fn embed_async(&self, crops: &[&Rgb8]) -> Result<Embeddings> {
        let mut embeddings = Vec::with_capacity(crops.len() * self.dim);
        for (crops, plans, n) in self.batches(crops)? {
            let plan = self.planned(plans, n)?;
            let mut input = vec![0.0; n * self.size * self.size * 3];
            for batch in crops.chunks(n) {
                self.standardize_batch(batch, &mut input);
                let outputs = plan.run_async(&[&input]).await?;
                embeddings.extend_from_slice(&outputs[0][..batch.len() * self.dim]);
            }
        }
        Ok(Embeddings::new(self.dim, embeddings))
    }

    /// Full batches and the rest, each with its plans and their size.
    #[allow(clippy::type_complexity)]
    fn batches<'a>(
        &self,
        crops: &'a [&'a Rgb8],
    ) -> Result<impl Iterator<Item = (&'a [&'a Rgb8], &Mutex<Option<Arc<dyn Executable>>>, usize)>> {
        self.check(crops)?;
        let mut rest = crops;
        Ok(self.parts(crops.len()).map(move |(count, plans, n)| {
            let (part, after) = rest.split_at(count);
            rest = after;
            (part, plans, n)
        }))
    }

    /// How many of `count` crops go in full batches, and how many in the rest, each with its plans and their size.
    #[allow(clippy::type_complexity)]
    fn parts(&self, count: usize) -> impl Iterator<Item = (usize, &Mutex<Option<Arc<dyn Executable>>>, usize)> {
        let full = count / self.batch * self.batch;
        let step = if self.device.backend().overlaps() { REST } else { 1 };
        let some = (count - full).next_multiple_of(step).min(self.batch);
        let parts = [(full, &self.full, self.batch), (count - full, &self.rest, some)];
        parts.into_iter().filter(|(count, ..)| *count > 0)
    }

    /// Refuses crops of another size.
    fn check(&self, crops: &[&Rgb8]) -> Result<()> {
        if let Some(bad) = crops.iter().find(|crop| (crop.width(), crop.height()) != (self.size, self.size)) {
            let problem = format!("expected {0} x {0} pixels, got {1} x {2}", self.size, bad.width(), bad.height());
            return Err(Error::invalid("crop", problem));
        }
        Ok(())
    }

    /// Writes the network's input for a batch, on all threads of the device.
    fn standardize_batch(&self, batch: &[&Rgb8], to: &mut [f32]) {
        let input = to.par_chunks_exact_mut(self.size * self.size * 3).zip(batch);
        self.device.install(|| input.for_each(|(to, crop)| self.standardize.pixels(crop, to)));
    }

    /// The embedding of one crop: `dim` values.
    ///
    /// # Errors
    /// As [`Embedder::embed`].
    pub fn embed_one(&self, crop: &Rgb8) -> Result<Vec<f32>> {
        Ok(self.embed(&[crop])?.into_vec())
    }

    /// Appends the embeddings of crops; the last batch of the plan may be filled in part. Each batch is standardized straight into
    /// the memory that it is brought in from, by all cores, while the one before may run.
    fn stream(&self, executable: &dyn Executable, crops: &[&Rgb8], embeddings: &mut Vec<f32>) -> Result<()> {
        let mut batches = crops.chunks(executable.plan().inputs[0].shape.dims()[0]);
        let end = embeddings.len() + crops.len() * self.dim;
        executable.stream(
            &mut |inputs| {
                let Some(batch) = batches.next() else { return Ok(false) };
                self.standardize_batch(batch, inputs[0]);
                Ok(true)
            },
            &mut |outputs| {
                let wanted = outputs[0].len().min(end - embeddings.len());
                embeddings.extend_from_slice(&outputs[0][..wanted]);
                Ok(())
            },
        )
    }

    /// A plan for `n` crops: the one at hand, if it is for as many.
    fn planned(&self, plans: &Mutex<Option<Arc<dyn Executable>>>, n: usize) -> Result<Arc<dyn Executable>> {
        self.kept(plans, n, || self.module.plan(&[Shape::from([n, self.size, self.size, 3])]))
    }

    /// The plan at hand, if it is for `n` crops, else a new one in its place.
    fn kept(
        &self,
        plans: &Mutex<Option<Arc<dyn Executable>>>,
        n: usize,
        new: impl FnOnce() -> Result<Box<dyn Executable>>,
    ) -> Result<Arc<dyn Executable>> {
        let mut plan = plans.lock().unwrap_or_else(PoisonError::into_inner);
        match &*plan {
            Some(plan) if plan.plan().inputs[0].shape.dims()[0] == n => Ok(plan.clone()),
            _ => {
                // The memory of the one before is free for its successor.
                *plan = None;
                Ok(plan.insert(new()?.into()).clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::AvgPool2d;

    /// The mean colour of a crop.
    fn embedder(n: usize) -> Embedder {
        let mut graph = Graph::new();
        let x = graph.input("x");
        let y = graph.op("mean", AvgPool2d::global(), &[x]);
        let y = graph.op("flat", crate::ops::Flatten, &[y]);
        graph.output(y);
        let options = EmbedOptions::from(Standardize::Fixed).size(4).batch(n);
        Embedder::new(&Device::cpu(2).unwrap(), graph, options).unwrap()
    }

    #[test]
    fn every_batch_size_gives_the_same_rows_in_order() {
        let crops: Vec<Rgb8> =
            (0..23).map(|i| Rgb8::new(4, 4, (0..48).map(|k| (i * 11 + k) as u8).collect())).collect();
        let crops: Vec<&Rgb8> = crops.iter().collect();
        let one_by_one: Vec<f32> = crops.iter().flat_map(|crop| embedder(1).embed_one(crop).unwrap()).collect();
        assert_eq!(one_by_one.len(), 23 * 3);
        assert_ne!(one_by_one[..3], one_by_one[3..6]);
        for n in [1, 2, 5, 23, 64] {
            assert_eq!(embedder(n).embed(&crops).unwrap().as_slice(), one_by_one, "batches of {n}");
            let pending = embedder(n);
            let mut pending = std::pin::pin!(pending.embed_async(&crops));
            // Nothing of the CPU's is pending.
            match pending.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
                std::task::Poll::Ready(got) => assert_eq!(got.unwrap().as_slice(), one_by_one),
                std::task::Poll::Pending => panic!("the CPU has nobody to wait for"),
            }
        }
        assert!(embedder(4).embed(&[]).unwrap().is_empty());
    }

    /// The network of [`embedder`] tells the channels apart, so that a wrong layout shows.
    #[test]
    fn standardized_crops_give_the_same_rows_in_either_layout() {
        let crops: Vec<Rgb8> =
            (0..7).map(|i| Rgb8::new(4, 4, (0..48).map(|k| (i * 13 + k * k) as u8).collect())).collect();
        let expected = embedder(3).embed(&crops.iter().collect::<Vec<_>>()).unwrap();
        let mut pixels = vec![0.0; 7 * 48];
        pixels.chunks_exact_mut(48).zip(&crops).for_each(|(to, crop)| Standardize::Fixed.pixels(crop, to));
        let planes: Vec<f32> =
            pixels.chunks_exact(48).flat_map(|crop| (0..48).map(move |k| crop[k % 16 * 3 + k / 16])).collect();
        for n in [1, 2, 3, 7, 64] {
            for crops in [Standardized::Pixels(&pixels), Standardized::Planes(&planes)] {
                assert_eq!(embedder(n).embed_standardized(crops).unwrap(), expected, "batches of {n}");
            }
        }
        let error = embedder(2).embed_standardized(Standardized::Planes(&planes[1..])).unwrap_err().to_string();
        assert!(error.contains("335 values are no whole number of crops of 4 x 4 pixels"), "{error}");
        assert!(embedder(2).embed_standardized(Standardized::Pixels(&[])).unwrap().is_empty());
    }
}
