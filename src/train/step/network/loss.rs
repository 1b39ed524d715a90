//! What is minimized, from the network's prelogits.

use super::layers::Trained;
use super::{NetworkOptions, Output, slot};
use crate::graph::{Graph, NodeId};
use crate::ops::{
    Accuracy, Activation, Cast, CenterLoss, CenterUpdate, Dense, GatherRows, L2Normalize, Mean, NormLoss, ScaledAdd,
    SoftmaxCrossEntropy, TripletLoss,
};
use crate::{Error, Result, Tensor};

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

/// What is minimized, as nodes.
pub(super) struct Objective {
    /// The whole loss, but for the weights' decay.
    pub loss: NodeId,
    /// What is told of it.
    pub outputs: Vec<(Output, NodeId)>,
    /// The centers of center loss, where there are some.
    pub centers: Option<Centers>,
}

/// The state of center loss.
pub(super) struct Centers {
    state: NodeId,
    labels: NodeId,
    alfa: f32,
}

impl Centers {
    /// They move towards the batch's prelogits, unless the step overflowed.
    pub fn update(&self, graph: &mut Graph, prelogits: NodeId, finite: NodeId) {
        let op = CenterUpdate { alfa: self.alfa };
        let next = graph.op("centers/next", op, &[self.state, prelogits, self.labels, finite]);
        graph.update(self.state, next);
    }
}

/// The loss of prelogits; a classifier has `labels`.
///
/// # Errors
/// [`Error::Invalid`] for parameters without a classifier where one is trained.
pub(super) fn objective(
    network: &mut Trained,
    options: &NetworkOptions,
    prelogits: NodeId,
    labels: Option<NodeId>,
) -> Result<Objective> {
    match (&options.loss, labels) {
        (Loss::Softmax { .. }, Some(labels)) => classifier(network, &options.loss, prelogits, labels),
        (&Loss::Triplet { alpha }, _) => Ok(triplets(&mut network.graph, options.batch / 3, alpha, prelogits)),
        (Loss::Softmax { .. }, None) => Err(Error::invalid("training", "a classifier needs labels")),
    }
}

fn classifier(network: &mut Trained, loss: &Loss, prelogits: NodeId, labels: NodeId) -> Result<Objective> {
    let &Loss::Softmax { center_factor, center_alfa, norm_factor, norm_p } = loss else {
        return Err(Error::invalid("training", "triplets have no classifier"));
    };
    let (w, b) = (network.parameter("Logits/weights")?, network.parameter("Logits/biases")?);
    let classified = network.classified(prelogits);
    let spec = network.parameters.spec();
    let graph = &mut network.graph;
    let stored = graph.op("prelogits/stored", Cast { keep_f32: false }, &[classified]);
    let logits = graph.op("Logits", Dense { bias: true, activation: Activation::None }, &[stored, w, b]);
    let logits = graph.op("Logits/f32", Cast { keep_f32: true }, &[logits]);
    let rows = graph.op("cross_entropy", SoftmaxCrossEntropy, &[logits, labels]);
    let mut loss = graph.op("loss", Mean, &[rows]);
    let (mut outputs, mut centers) = (vec![(Output::Loss, loss)], None);
    if norm_factor > 0.0 {
        let norm = graph.op("norm_loss", NormLoss { p: norm_p, epsilon: 1e-4 }, &[prelogits]);
        outputs.push((Output::NormLoss, norm));
        loss = graph.op("loss with norm", ScaledAdd { scale: norm_factor }, &[loss, norm]);
    }
    if center_factor > 0.0 {
        let classes = spec.classes.ok_or_else(|| Error::invalid("training", "there is no classifier"))?;
        let state = graph.state("centers", slot::CENTERS, [classes, spec.network.embedding_size]);
        let center = graph.op("center_loss", CenterLoss, &[prelogits, state, labels]);
        outputs.push((Output::CenterLoss, center));
        loss = graph.op("loss with centers", ScaledAdd { scale: center_factor }, &[loss, center]);
        centers = Some(Centers { state, labels, alfa: center_alfa });
    }
    let right = graph.op("right", Accuracy, &[logits, labels]);
    outputs.push((Output::Accuracy, graph.op("accuracy", Mean, &[right])));
    Ok(Objective { loss, outputs, centers })
}

fn triplets(graph: &mut Graph, triplets: usize, margin: f32, prelogits: NodeId) -> Objective {
    let y = embeddings(graph, prelogits);
    let members = ["anchor", "positive", "negative"]
        .map(|name| graph.param(&format!("{name} rows"), rows(name, triplets)))
        .map(|indices| graph.op("member", GatherRows, &[y, indices]));
    let loss = graph.op("loss", TripletLoss { margin }, &members);
    Objective { loss, outputs: vec![(Output::Loss, loss), (Output::Embeddings, y)], centers: None }
}

/// Unit vectors of prelogits.
pub(super) fn embeddings(graph: &mut Graph, prelogits: NodeId) -> NodeId {
    graph.op("embeddings", L2Normalize { epsilon: 1e-10 }, &[prelogits])
}

/// Which rows of a batch are the members of this kind.
fn rows(kind: &str, triplets: usize) -> Tensor {
    let first = ["anchor", "positive", "negative"].iter().position(|name| *name == kind).expect("one of three");
    Tensor::new([triplets], (0..triplets).map(|i| (3 * i + first) as f32).collect())
}
