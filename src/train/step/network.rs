//! The graphs of training: the network on states with its losses, their gradients and the optimizer's step.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::{Graph, NodeId};
use crate::models::inception_resnet_v1::{Layers, features};
use crate::ops::*;
use crate::random::purpose;
use crate::train::parameters::Parameters;
use crate::weights::facenet::EPSILON;
use crate::{Error, Result, Shape, Tensor};

/// The states of a run, by their numbers.
pub mod slot {
    /// Weights, what the optimizer remembers of them, and their average: `[rows, weights]`.
    pub const WEIGHTS: usize = 0;
    /// The batch norms' running averages.
    pub const NORMS: usize = 1;
    /// The centers of center loss, `[classes, embedding_size]`.
    pub const CENTERS: usize = 2;
}

/// How much of the old running averages stays, as in the original.
const NORM_DECAY: f32 = 0.995;

/// What is minimized.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// `train_softmax.py`: cross entropy of a classifier, and two terms that may have a factor of 0.
    Softmax {
        /// The factor of center loss (Wen et al. 2016).
        center_factor: f32,
        /// How slowly centers move: 1 not at all.
        center_alfa: f32,
        /// The factor of the prelogits' norm.
        norm_factor: f32,
        /// Which norm.
        norm_p: f32,
    },
    /// `train_tripletloss.py`: rows 3i, 3i + 1 and 3i + 2 of a batch are an anchor, its positive and its negative.
    Triplet {
        /// By how much the negative should be farther, in squared distance.
        alpha: f32,
    },
}

impl Loss {
    /// Whether people are told apart by a classifier, which needs labels.
    pub fn is_classifier(&self) -> bool {
        matches!(self, Loss::Softmax { .. })
    }
}

/// How a step is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What is minimized.
    pub loss: Loss,
    /// Which optimizer.
    pub optimizer: OptimizerKind,
    /// Whether the weights' moving average is kept.
    pub average: bool,
    /// The factor of the squared weights' half sum.
    pub weight_decay: f32,
    /// The part of the features that dropout keeps.
    pub keep_probability: f32,
    /// The run's seed.
    pub seed: u64,
    /// Photographs of a batch.
    pub batch: usize,
    /// Which blocks' values, of those that [`Step::blocks`] counts, are computed again for the gradients, not kept.
    pub recompute: Vec<usize>,
}

impl Options {
    /// By which factor a step's output counts in the whole loss.
    pub fn factor(&self, output: Output) -> f32 {
        match (output, &self.loss) {
            (Output::Loss, _) => 1.0,
            (Output::CenterLoss, Loss::Softmax { center_factor, .. }) => *center_factor,
            (Output::NormLoss, Loss::Softmax { norm_factor, .. }) => *norm_factor,
            (Output::L2Loss, _) => self.weight_decay,
            _ => 0.0,
        }
    }

    /// Rows of the state of the weights.
    pub fn rows(&self) -> usize {
        1 + self.optimizer.initial().len() + usize::from(self.average)
    }
}

/// What a step's outputs are, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// The mean cross entropy, or the mean triplet loss.
    Loss,
    /// Center loss, without its factor.
    CenterLoss,
    /// The prelogits' norm, without its factor.
    NormLoss,
    /// The squared weights' half sum, without its factor.
    L2Loss,
    /// The part of the batch that the classifier is right about.
    Accuracy,
    /// 1 if all gradients are finite; else the weights have not changed.
    Finite,
    /// `[n, d]`: the embeddings before the step.
    Embeddings,
}

/// A step of training as a graph.
///
/// Inputs: `images: [n, h, w, 3]`; for softmax `labels: [n]`; `step: [1]`; `scale: [1]`, the loss scale; `rates: [3]` as
/// [`Optimizer`] takes them.
pub struct Step {
    /// The graph.
    pub graph: Graph,
    /// What its outputs are.
    pub outputs: Vec<Output>,
    /// Blocks that could be computed again.
    pub blocks: usize,
}

/// The network's layers on states.
struct Trained<'a> {
    graph: Graph,
    parameters: &'a Parameters,
    weights: NodeId,
    /// The trained tensors that were asked for.
    named: BTreeMap<String, NodeId>,
    moments: Vec<NodeId>,
    blocks: Vec<usize>,
}

impl<'a> Trained<'a> {
    /// On the weights of a state of so many rows.
    fn new(parameters: &'a Parameters, rows: usize) -> Self {
        let mut graph = Graph::new();
        let weights = graph.state("weights", slot::WEIGHTS, [rows, parameters.weights_len()]);
        Trained { graph, parameters, weights, named: BTreeMap::new(), moments: Vec::new(), blocks: Vec::new() }
    }

    /// A trained tensor.
    fn parameter(&mut self, name: &str) -> Result<NodeId> {
        let place = self.parameters.find(name);
        let place = place.ok_or_else(|| Error::invalid("Inception-ResNet-v1", format!("no weights `{name}`")))?;
        let part = Part::At(place.offset, place.shape.clone());
        let node = self.graph.op(name, part, &[self.weights]);
        self.named.insert(name.to_owned(), node);
        Ok(node)
    }

    /// Normalizes by the batch's own statistics, which are remembered.
    fn norm(&mut self, name: &str, x: NodeId, activation: Activation) -> Result<NodeId> {
        let moments = self.graph.op(&format!("{name}/moments"), BatchMoments, &[x]);
        self.moments.push(moments);
        let scale = self.parameters.spec().gamma;
        let mut inputs = vec![x, moments, self.parameter(&format!("{name}/BatchNorm/beta"))?];
        if scale {
            inputs.push(self.parameter(&format!("{name}/BatchNorm/gamma"))?);
        }
        Ok(self.graph.op(name, BatchNormTrain { epsilon: EPSILON as f32, activation, scale }, &inputs))
    }

    /// From photographs to prelogits, as f32.
    fn prelogits(&mut self, images: NodeId, dropout: Option<(Dropout, NodeId)>) -> Result<NodeId> {
        let mut x = features(self, images)?;
        x = self.graph.op("features", Flatten, &[x]);
        if let Some((dropout, step)) = dropout {
            x = self.graph.op("Dropout", dropout, &[x, step]);
        }
        let w = self.parameter("Bottleneck/weights")?;
        let x = self.graph.op("Bottleneck/product", Dense { bias: false, activation: Activation::None }, &[x, w]);
        let x = self.norm("Bottleneck", x, Activation::None)?;
        Ok(self.graph.op("prelogits", Cast { exact: true }, &[x]))
    }

    /// The running averages move towards the batch's statistics, unless the step overflowed.
    fn update_norms(&mut self, finite: NodeId) {
        let averages = self.graph.state("norms", slot::NORMS, [self.parameters.norms_len()]);
        let moments = self.graph.op("moments", Join, &self.moments);
        let next = self.graph.op("norms/next", MovingAverage { decay: NORM_DECAY }, &[averages, moments, finite]);
        self.graph.update(averages, next);
    }
}

impl Layers for Trained<'_> {
    fn graph(&mut self) -> &mut Graph {
        &mut self.graph
    }

    fn conv(&mut self, name: &str, x: NodeId, stride: usize, padding: Padding) -> Result<NodeId> {
        let w = self.parameter(&format!("{name}/weights"))?;
        let product = Conv2d { bias: false, ..Conv2d::new(padding).stride([stride; 2]) };
        let x = self.graph.op(&format!("{name}/product"), product, &[x, w]);
        self.norm(name, x, Activation::Relu)
    }

    fn up(&mut self, name: &str, x: NodeId, trunk: NodeId, scale: f32, relu: bool) -> Result<NodeId> {
        let w = self.parameter(&format!("{name}/weights"))?;
        let b = self.parameter(&format!("{name}/biases"))?;
        let activation = if relu { Activation::Relu } else { Activation::None };
        let op = Conv2d::new(Padding::Same).activation(activation).residual(scale);
        Ok(self.graph.op(name, op, &[x, w, b, trunk]))
    }

    fn end_block(&mut self) {
        self.blocks.push(self.graph.nodes().len());
    }
}

/// Unit vectors of prelogits.
fn embeddings(graph: &mut Graph, prelogits: NodeId) -> NodeId {
    graph.op("embeddings", L2Normalize { epsilon: 1e-10 }, &[prelogits])
}

/// Photographs `[n, h, w, 3]` to embeddings `[n, d]` by the batch's own statistics, changing nothing: what triplets are
/// chosen by.
///
/// # Errors
/// [`Error::Invalid`] for parameters that are not the network's.
pub fn embedding(parameters: &Parameters, rows: usize) -> Result<Graph> {
    let mut network = Trained::new(parameters, rows);
    let images = network.graph.input("images");
    let prelogits = network.prelogits(images, None)?;
    let mut graph = network.graph;
    let y = embeddings(&mut graph, prelogits);
    graph.output(y);
    Ok(graph)
}

/// A step of training.
///
/// # Errors
/// [`Error::Invalid`] for parameters that are not the network's, or without a classifier where one is trained.
pub fn step(parameters: &Parameters, options: &Options) -> Result<Step> {
    let mut network = Trained::new(parameters, options.rows());
    let images = network.graph.input("images");
    let labels = matches!(options.loss, Loss::Softmax { .. }).then(|| network.graph.input("labels"));
    let at = network.graph.input("step");
    let scale = network.graph.input("scale");
    let rates = network.graph.input("rates");
    let dropout = Dropout { keep: options.keep_probability, seed: options.seed, stream: purpose::DROPOUT };
    let prelogits = network.prelogits(images, (options.keep_probability < 1.0).then_some((dropout, at)))?;

    let mut outputs = Vec::new();
    let mut centers = None;
    let objective = match (&options.loss, labels) {
        (&Loss::Softmax { center_factor, center_alfa, norm_factor, norm_p }, Some(labels)) => {
            let (w, b) = (network.parameter("Logits/weights")?, network.parameter("Logits/biases")?);
            let graph = &mut network.graph;
            let stored = graph.op("prelogits/stored", Cast { exact: false }, &[prelogits]);
            let logits = graph.op("Logits", Dense { bias: true, activation: Activation::None }, &[stored, w, b]);
            let logits = graph.op("Logits/exact", Cast { exact: true }, &[logits]);
            let rows = graph.op("cross_entropy", SoftmaxCrossEntropy, &[logits, labels]);
            let mut objective = graph.op("loss", Mean, &[rows]);
            outputs.push((Output::Loss, objective));
            if norm_factor > 0.0 {
                let norm = graph.op("norm_loss", NormLoss { p: norm_p, epsilon: 1e-4 }, &[prelogits]);
                outputs.push((Output::NormLoss, norm));
                objective = graph.op("loss with norm", ScaledAdd { scale: norm_factor }, &[objective, norm]);
            }
            if center_factor > 0.0 {
                let Some(classes) = parameters.spec().classes else { unreachable!("there is a classifier") };
                let extents = [classes, parameters.spec().embedding_size];
                let state = graph.state("centers", slot::CENTERS, extents);
                let center = graph.op("center_loss", CenterLoss, &[prelogits, state, labels]);
                outputs.push((Output::CenterLoss, center));
                objective = graph.op("loss with centers", ScaledAdd { scale: center_factor }, &[objective, center]);
                centers = Some((state, labels, center_alfa));
            }
            let right = graph.op("right", Accuracy, &[logits, labels]);
            outputs.push((Output::Accuracy, graph.op("accuracy", Mean, &[right])));
            objective
        }
        (&Loss::Triplet { alpha }, _) => {
            let graph = &mut network.graph;
            let y = embeddings(graph, prelogits);
            let triplets = options.batch / 3;
            let members = ["anchor", "positive", "negative"]
                .map(|name| graph.param(&format!("{name} rows"), rows(name, triplets)));
            let members = members.map(|indices| graph.op("member", GatherRows, &[y, indices]));
            let objective = graph.op("loss", TripletLoss { margin: alpha }, &members);
            outputs.extend([(Output::Loss, objective), (Output::Embeddings, y)]);
            objective
        }
        (Loss::Softmax { .. }, None) => unreachable!("labels were asked for above"),
    };
    let decayed = Part::At(0, Shape::from([parameters.decayed()]));
    let decayed = network.graph.op("decayed", decayed, &[network.weights]);
    outputs.push((Output::L2Loss, network.graph.op("l2_loss", L2Loss, &[decayed])));

    let wanted: Option<Vec<NodeId>> =
        parameters.weights().iter().map(|place| network.named.get(&place.name).copied()).collect();
    let starts = std::iter::once(0).chain(network.blocks.iter().copied());
    let blocks = starts.zip(network.blocks.iter().copied()).enumerate();
    let again: Vec<Range<usize>> =
        blocks.filter(|(block, _)| options.recompute.contains(block)).map(|(_, (from, to))| from..to).collect();
    let graph = &mut network.graph;
    let gradients = match wanted {
        Some(wanted) => {
            graph.gradients(objective, scale, &wanted, &again)?.into_iter().collect::<Option<Vec<NodeId>>>()
        }
        None => None,
    };
    let gradients = gradients.ok_or_else(|| Error::invalid("training", "a weight has no part in the loss"))?;
    let gradient = graph.op("gradient", Join, &gradients);
    let finite = graph.op("finite", IsFinite, &[gradient]);
    outputs.push((Output::Finite, finite));
    if let Some((state, labels, alfa)) = centers {
        let next = graph.op("centers/next", CenterUpdate { alfa }, &[state, prelogits, labels, finite]);
        graph.update(state, next);
    }
    network.update_norms(finite);
    let optimizer = Optimizer {
        kind: options.optimizer,
        decayed: parameters.decayed(),
        decay: options.weight_decay,
        average: options.average,
    };
    let graph = &mut network.graph;
    let next = graph.op("weights/next", optimizer, &[network.weights, gradient, rates, finite]);
    graph.update(network.weights, next);
    outputs.iter().for_each(|(_, node)| graph.output(*node));
    let blocks = network.blocks.len();
    Ok(Step { graph: network.graph, outputs: outputs.into_iter().map(|(output, _)| output).collect(), blocks })
}

/// Which rows of a batch are the members of this kind.
fn rows(kind: &str, triplets: usize) -> Tensor {
    let first = ["anchor", "positive", "negative"].iter().position(|name| *name == kind).expect("one of three");
    Tensor::new([triplets], (0..triplets).map(|i| (3 * i + first) as f32).collect())
}
