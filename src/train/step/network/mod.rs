//! The graphs of training: the network on states with its losses, their gradients and the optimizer's step.

mod layers;
mod loss;

use std::ops::Range;

use crate::graph::{Graph, NodeId};
use crate::ops::{Dropout, IsFinite, Join, L2Loss, Optimizer, OptimizerKind, Part};
use crate::random::purpose;
use crate::train::parameters::Parameters;
use crate::{Error, Result, Shape};
use layers::Trained;
pub use loss::Loss;
use loss::Objective;

/// The states of a run, by their numbers.
pub mod slot {
    /// Weights, what the optimizer remembers of them, and their average: `[rows, weights]`.
    pub const WEIGHTS: usize = 0;
    /// The batch norms' running averages.
    pub const NORMS: usize = 1;
    /// The centers of center loss, `[classes, embedding_size]`.
    pub const CENTERS: usize = 2;
}

/// How a step is made.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkOptions {
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

impl NetworkOptions {
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
    let y = loss::embeddings(&mut graph, prelogits);
    graph.output(y);
    Ok(graph)
}

/// A step of training.
///
/// # Errors
/// [`Error::Invalid`] for parameters that are not the network's, or without a classifier where one is trained.
pub fn step(parameters: &Parameters, options: &NetworkOptions) -> Result<Step> {
    let mut network = Trained::new(parameters, options.rows());
    let images = network.graph.input("images");
    let labels = options.loss.is_classifier().then(|| network.graph.input("labels"));
    let at = network.graph.input("step");
    let scale = network.graph.input("scale");
    let rates = network.graph.input("rates");
    let dropout = Dropout { keep: options.keep_probability, seed: options.seed, stream: purpose::DROPOUT };
    let prelogits = network.prelogits(images, (options.keep_probability < 1.0).then_some((dropout, at)))?;
    let Objective { loss, mut outputs, centers } = loss::objective(&mut network, options, prelogits, labels)?;

    let decayed = Part::At(0, Shape::from([parameters.decayed()]));
    let decayed = network.graph.op("decayed", decayed, &[network.weights]);
    outputs.push((Output::L2Loss, network.graph.op("l2_loss", L2Loss, &[decayed])));
    let gradient = gradient(&mut network, options, loss, scale)?;
    let finite = network.graph.op("finite", IsFinite, &[gradient]);
    outputs.push((Output::Finite, finite));
    if let Some(centers) = centers {
        centers.update(&mut network.graph, prelogits, finite);
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

/// The gradient of all weights, one after the other, by the scaled loss; blocks that are not kept are computed again.
fn gradient(network: &mut Trained, options: &NetworkOptions, loss: NodeId, scale: NodeId) -> Result<NodeId> {
    let places = network.parameters.weights().iter();
    let wanted: Option<Vec<NodeId>> = places.map(|place| network.named.get(&place.name).copied()).collect();
    let starts = std::iter::once(0).chain(network.blocks.iter().copied());
    let blocks = starts.zip(network.blocks.iter().copied()).enumerate();
    let again: Vec<Range<usize>> =
        blocks.filter(|(block, _)| options.recompute.contains(block)).map(|(_, (from, to))| from..to).collect();
    let graph = &mut network.graph;
    let gradients = match wanted {
        Some(wanted) => graph.gradients(loss, scale, &wanted, &again)?.into_iter().collect::<Option<Vec<NodeId>>>(),
        None => None,
    };
    let gradients = gradients.ok_or_else(|| Error::invalid("training", "a weight has no part in the loss"))?;
    Ok(graph.op("gradient", Join, &gradients))
}
