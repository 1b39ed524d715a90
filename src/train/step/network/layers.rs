//! The network's layers on the states of training.

use std::collections::BTreeMap;

use super::slot;
use crate::graph::{Graph, NodeId};
use crate::models::inception_resnet_v1::{Layers, features};
use crate::ops::{
    Activation, BatchMoments, BatchNormTrain, Cast, Conv2d, Dense, Dropout, Flatten, Join, MovingAverage, Padding, Part,
};
use crate::train::parameters::Parameters;
use crate::weights::facenet::EPSILON;
use crate::{Error, Result};

/// How much of the old running averages stays, as in the original.
const NORM_DECAY: f32 = 0.995;

/// The network's layers on states.
pub(super) struct Trained<'a> {
    pub graph: Graph,
    pub parameters: &'a Parameters,
    pub weights: NodeId,
    /// The trained tensors that were asked for.
    pub named: BTreeMap<String, NodeId>,
    moments: Vec<NodeId>,
    pub blocks: Vec<usize>,
}

impl<'a> Trained<'a> {
    /// On the weights of a state of `rows` rows.
    pub fn new(parameters: &'a Parameters, rows: usize) -> Self {
        let mut graph = Graph::new();
        let weights = graph.state("weights", slot::WEIGHTS, [rows, parameters.weights_len()]);
        Trained { graph, parameters, weights, named: BTreeMap::new(), moments: Vec::new(), blocks: Vec::new() }
    }

    /// A trained tensor.
    pub fn parameter(&mut self, name: &str) -> Result<NodeId> {
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
    pub fn prelogits(&mut self, images: NodeId, dropout: Option<(Dropout, NodeId)>) -> Result<NodeId> {
        let mut x = features(self, images)?;
        x = self.graph.op("features", Flatten, &[x]);
        if let Some((dropout, step)) = dropout {
            x = self.graph.op("Dropout", dropout, &[x, step]);
        }
        let w = self.parameter("Bottleneck/weights")?;
        let x = self.graph.op("Bottleneck/product", Dense { bias: false, activation: Activation::None }, &[x, w]);
        let x = self.norm("Bottleneck", x, Activation::None)?;
        Ok(self.graph.op("prelogits", Cast { keep_f32: true }, &[x]))
    }

    /// The running averages move towards the batch's statistics, unless the step overflowed.
    pub fn update_norms(&mut self, finite: NodeId) {
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
