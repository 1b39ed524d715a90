//! Turning crops into vectors.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::{Alignment, EmbedOptions, Embeddings, Reason};
use crate::Precision;
use crate::backend::{Device, Executable, Module};
use crate::image::{AlignMethod, Rgb8};
use crate::models::embedding_network_of;
use crate::networks::{ModelDef, NetworkSpec};
use crate::ops::Standardize;
use crate::train::checkpoint;
use crate::weights::network::require;
use crate::weights::{self, Entry, ModelFacts, TensorMap};
use crate::{Error, Graph, Result, Shape};

/// Where batches overlap, the last one is filled up to a multiple of this: a plan costs such a device more than some
/// padding crops do, so that remainders share a few.
const REST: usize = 32;

/// A face on its way into the network.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A crop of [`Embedder::size`] pixels squared, yet to be standardized.
    Crop(&'a Rgb8),
    /// What the network takes: `size * size * 3` values, standardized.
    Standardized(&'a [f32]),
    /// The same by channels, `[3, size, size]`, as PyTorch has it.
    Planes(&'a [f32]),
}

/// Crops that are standardized already, as f32 values, row-major.
#[derive(Clone, Copy, Debug)]
pub enum Standardized<'a> {
    /// `[n, side, side, 3]`: the network's own layout.
    Pixels(&'a [f32]),
    /// `[n, 3, side, side]`, as PyTorch has it.
    Planes(&'a [f32]),
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
            Ok((Self::build_of(device, &map, &options)?, map))
        };
        // The file is held against its hash while its weights are read and packed.
        let (published, read) =
            device.install(|| rayon::join(|| weights::verify(file, options.allow_modified_weights), read));
        let (published, ((embedder, network), map)) = (published?, read?);
        Ok(embedder.told(&map, network, published, &options))
    }

    /// An embedder of weights that were read already, as from memory by [`weights::load_bytes`]. No hash tells whether they
    /// are published ones: what the file itself says of crops and standardization holds.
    ///
    /// # Errors
    /// As [`Embedder::load`].
    pub fn of(device: &Device, map: &TensorMap, options: impl Into<EmbedOptions>) -> Result<Self> {
        let options = options.into();
        let (embedder, network) = Self::build_of(device, map, &options)?;
        Ok(embedder.told(map, network, None, &options))
    }

    /// An embedder of a file's network, and which one that is.
    fn build_of(device: &Device, map: &TensorMap, options: &EmbedOptions) -> Result<(Self, NetworkSpec)> {
        let mut facts = checkpoint::facts(map, None);
        let (graph, network) = embedding_network_of(map, |network| {
            facts = facts.or(network.facts());
            Some(options.crop_size(&facts).0)
        })?;
        require(map, network.def, options.model_def)?;
        Ok((Self::build(device, graph, options, &facts)?, network))
    }

    /// The same, with what is known of the crops that the network was trained on.
    fn told(
        self,
        map: &TensorMap,
        network: NetworkSpec,
        published: Option<&'static Entry>,
        options: &EmbedOptions,
    ) -> Self {
        let facts = checkpoint::facts(map, published).or(network.facts());
        let (standardize, reason) = options.standardize.of(&facts, self.dim);
        let (_, size_reason) = options.crop_size(&facts);
        let published_align = || self.model_def.and_then(ModelDef::alignment);
        let (trained_size, trained_align) = (facts.image_size, facts.align.or_else(published_align));
        Embedder { published, standardize, reason, size_reason, trained_size, trained_align, ..self }
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
        self.embed_inputs(&inputs(crops))
    }

    /// As [`Embedder::embed`], of crops and of what is standardized already.
    ///
    /// # Errors
    /// As [`Embedder::embed`]; [`Error::Invalid`] for another number of values, too.
    pub fn embed_inputs(&self, inputs: &[Input]) -> Result<Embeddings> {
        let mut embeddings = Vec::with_capacity(inputs.len() * self.dim);
        for (inputs, plans, n) in self.batches(inputs)? {
            self.stream(&*self.planned(plans, n)?, inputs, &mut embeddings)?;
        }
        Ok(Embeddings::new(self.dim, embeddings))
    }

    /// As [`Embedder::embed`], of crops that are standardized already.
    ///
    /// # Errors
    /// [`Error::Invalid`] for values that are no whole number of crops of [`Embedder::size`]; [`Error::Device`] if the device
    /// fails.
    pub fn embed_standardized(&self, crops: Standardized<'_>) -> Result<Embeddings> {
        let (Standardized::Pixels(values) | Standardized::Planes(values)) = crops;
        let each = self.size * self.size * 3;
        if !values.len().is_multiple_of(each) {
            let problem =
                format!("{} values are no whole number of crops of {1} x {1} pixels", values.len(), self.size);
            return Err(Error::invalid("standardized crops", problem));
        }
        let input = match crops {
            Standardized::Pixels(_) => Input::Standardized,
            Standardized::Planes(_) => Input::Planes,
        };
        self.embed_inputs(&values.chunks_exact(each).map(input).collect::<Vec<_>>())
    }

    /// As [`Embedder::embed`], all crops at once and, where the device is the processor, on the calling thread alone: any
    /// number of threads may do so at a time.
    ///
    /// # Errors
    /// As [`Embedder::embed`].
    pub fn embed_alone(&self, crops: &[&Rgb8]) -> Result<Embeddings> {
        let crops = inputs(crops);
        self.check(&crops)?;
        let mut embeddings = Vec::with_capacity(crops.len() * self.dim);
        if !crops.is_empty() {
            let shape = [Shape::from([crops.len(), self.size, self.size, 3])];
            let plan = self.kept(&self.alone, crops.len(), || self.module.plan_alone(&shape))?;
            self.stream(&*plan, &crops, &mut embeddings)?;
        }
        Ok(Embeddings::new(self.dim, embeddings))
    }

    /// As [`Embedder::embed`], without blocking where the device need not: a browser cannot.
    ///
    /// # Errors
    /// As [`Embedder::embed`].
    pub async fn embed_async(&self, crops: &[&Rgb8]) -> Result<Embeddings> {
        let mut embeddings = Vec::with_capacity(crops.len() * self.dim);
        for (crops, plans, n) in self.batches(&inputs(crops))? {
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
        inputs: &'a [Input<'a>],
    ) -> Result<impl Iterator<Item = (&'a [Input<'a>], &Mutex<Option<Arc<dyn Executable>>>, usize)>> {
        self.check(inputs)?;
        let (full, rest) = inputs.split_at(inputs.len() / self.batch * self.batch);
        let step = if self.device.backend().overlaps() { REST } else { 1 };
        let some = rest.len().next_multiple_of(step).min(self.batch);
        let parts = [(full, &self.full, self.batch), (rest, &self.rest, some)];
        Ok(parts.into_iter().filter(|(inputs, ..)| !inputs.is_empty()))
    }

    /// Refuses crops of another size.
    fn check(&self, inputs: &[Input]) -> Result<()> {
        let size = self.size;
        for input in inputs {
            match input {
                Input::Crop(crop) if (crop.width(), crop.height()) != (size, size) => {
                    let problem = format!("expected {size} x {size} pixels, got {} x {}", crop.width(), crop.height());
                    return Err(Error::invalid("crop", problem));
                }
                Input::Standardized(values) | Input::Planes(values) if values.len() != size * size * 3 => {
                    let problem = format!("expected {} values, got {}", size * size * 3, values.len());
                    return Err(Error::invalid("standardized crop", problem));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the network's input for a batch, on all threads of the device.
    fn standardize_batch(&self, batch: &[Input], to: &mut [f32]) {
        let input = to.par_chunks_exact_mut(self.size * self.size * 3).zip(batch);
        self.device.install(|| {
            input.for_each(|(to, input)| match input {
                Input::Crop(crop) => self.standardize.pixels(crop, to),
                Input::Standardized(values) => to.copy_from_slice(values),
                Input::Planes(values) => interleave(values, to),
            });
        });
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
    fn stream(&self, executable: &dyn Executable, inputs: &[Input], embeddings: &mut Vec<f32>) -> Result<()> {
        let mut batches = inputs.chunks(executable.plan().inputs[0].shape.dims()[0]);
        let end = embeddings.len() + inputs.len() * self.dim;
        executable.stream(
            &mut |places| {
                let Some(batch) = batches.next() else { return Ok(false) };
                self.standardize_batch(batch, places[0]);
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

/// Channels `[3, pixels]` as `[pixels, 3]`.
fn interleave(planes: &[f32], to: &mut [f32]) {
    let (red, others) = planes.split_at(planes.len() / 3);
    let (green, blue) = others.split_at(others.len() / 2);
    for (to, ((r, g), b)) in to.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
        to.copy_from_slice(&[*r, *g, *b]);
    }
}

/// Crops that are yet to be standardized.
fn inputs<'a>(crops: &[&'a Rgb8]) -> Vec<Input<'a>> {
    crops.iter().map(|crop| Input::Crop(crop)).collect()
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
        // What is standardized beforehand goes beside crops, and comes to the same.
        let mut standardized = vec![0.0; 48];
        Standardize::Fixed.pixels(crops[1], &mut standardized);
        let mixed = [Input::Crop(crops[0]), Input::Standardized(&standardized), Input::Crop(crops[2])];
        assert_eq!(embedder(2).embed_inputs(&mixed).unwrap().as_slice(), &one_by_one[..9]);
        let error = embedder(2).embed_inputs(&[Input::Standardized(&standardized[1..])]).unwrap_err().to_string();
        assert!(error.contains("expected 48 values, got 47"), "{error}");
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
