//! The network's layers on the states of training.

use std::collections::BTreeMap;

use super::slot;
use crate::graph::{Graph, NodeId};
use crate::networks::{LayerSpec, Layers, Product};
use crate::ops::{
    Activation, BatchMoments, BatchNormTrain, Cast, Conv2d, Dense, Dropout, Join, LocalConv2d, MovingAverage, Op, Part,
};
use crate::train::parameters::Parameters;
use crate::{Error, Result};

/// The network's layers on states.
pub(super) struct Trained<'a> {
    pub graph: Graph,
    pub parameters: &'a Parameters,
    pub weights: NodeId,
    /// The trained tensors that were asked for.
    pub named: BTreeMap<String, NodeId>,
    moments: Vec<NodeId>,
    /// Dropout, and the step's number, where there is some.
    dropout: Option<(Dropout, NodeId)>,
    pub blocks: Vec<usize>,
}

impl<'a> Trained<'a> {
    /// On the weights of a state of `rows` rows.
    pub fn new(parameters: &'a Parameters, rows: usize) -> Self {
        let mut graph = Graph::new();
        let weights = graph.state("weights", slot::WEIGHTS, [rows, parameters.weights_len()]);
        let (named, moments, blocks) = Default::default();
        Trained { graph, parameters, weights, named, moments, dropout: None, blocks }
    }

    /// A trained tensor.
    pub fn parameter(&mut self, name: &str) -> Result<NodeId> {
        let place = self.parameters.find(name);
        let place = place.ok_or_else(|| Error::invalid(self.title(), format!("no weights `{name}`")))?;
        let part = Part::At(place.offset, place.shape.clone());
        let node = self.graph.op(name, part, &[self.weights]);
        self.named.insert(name.to_owned(), node);
        Ok(node)
    }

    /// Normalizes by the batch's own statistics, which are remembered.
    fn norm(&mut self, name: &str, x: NodeId, activation: Activation) -> Result<NodeId> {
        let moments = self.graph.op(&format!("{name}/moments"), BatchMoments, &[x]);
        self.moments.push(moments);
        let (scale, epsilon) = (self.parameters.spec().gamma, self.parameters.spec().network.def.epsilon() as f32);
        let mut inputs = vec![x, moments, self.parameter(&format!("{name}/BatchNorm/beta"))?];
        if scale {
            inputs.push(self.parameter(&format!("{name}/BatchNorm/gamma"))?);
        }
        Ok(self.graph.op(name, BatchNormTrain { epsilon, activation, scale }, &inputs))
    }

    fn title(&self) -> &'static str {
        self.parameters.spec().network.def.title()
    }

    /// From photographs to prelogits, as f32.
    pub fn prelogits(&mut self, images: NodeId, dropout: Option<(Dropout, NodeId)>) -> Result<NodeId> {
        self.dropout = dropout;
        let x = self.parameters.spec().network.prelogits(self, images)?;
        Ok(self.graph.op("prelogits", Cast { keep_f32: true }, &[x]))
    }

    /// What a classifier takes of prelogits: they themselves, or where the network's dropout stands behind them, what that
    /// leaves.
    pub fn classified(&mut self, prelogits: NodeId) -> NodeId {
        match self.parameters.spec().network.def.drops_prelogits() {
            true => self.dropout(prelogits),
            false => prelogits,
        }
    }

    /// The running averages move towards the batch's statistics, unless the step overflowed.
    pub fn update_norms(&mut self, finite: NodeId) {
        if self.moments.is_empty() {
            return;
        }
        let averages = self.graph.state("norms", slot::NORMS, [self.parameters.norms_len()]);
        let decay = self.parameters.spec().network.def.norm_decay();
        let moments = self.graph.op("moments", Join, &self.moments);
        let next = self.graph.op("norms/next", MovingAverage { decay }, &[averages, moments, finite]);
        self.graph.update(averages, next);
    }
}

impl Layers for Trained<'_> {
    fn graph(&mut self) -> &mut Graph {
        &mut self.graph
    }

    fn layer(&mut self, layer: LayerSpec, product: Product, activation: Activation, x: NodeId) -> Result<NodeId> {
        let LayerSpec { name, follows, .. } = layer;
        let mut w = self.parameter(&format!("{name}/weights"))?;
        if matches!(product, Product::Local { .. }) {
            // These filters are not packed: they are stored as the maps are.
            w = self.graph.op(&format!("{name}/stored"), Cast { keep_f32: false }, &[w]);
        }
        let mut inputs = vec![x, w];
        let bias = follows.has_bias();
        if bias {
            inputs.push(self.parameter(&format!("{name}/biases"))?);
        }
        // A batch norm takes the activation.
        let (own, own_name) = match follows.has_norm() {
            true => (Activation::None, format!("{name}/product")),
            false => (activation, name.clone()),
        };
        let op: Op = match product {
            Product::Conv { stride, padding, residual } => {
                inputs.extend(residual.map(|(_, trunk)| trunk));
                let residual_scale = residual.map(|(scale, _)| scale);
                Conv2d { bias, residual_scale, ..Conv2d::new(padding).stride(stride).activation(own) }.into()
            }
            Product::Local { stride } => LocalConv2d { stride, activation: own }.into(),
            Product::Dense => Dense { bias, activation: own }.into(),
        };
        let x = self.graph.op(&own_name, op, &inputs);
        if follows.has_norm() { self.norm(&name, x, activation) } else { Ok(x) }
    }

    fn dropout(&mut self, x: NodeId) -> NodeId {
        match &self.dropout {
            Some((dropout, step)) => self.graph.op("Dropout", dropout.clone(), &[x, *step]),
            None => x,
        }
    }

    fn end_block(&mut self) {
        self.blocks.push(self.graph.nodes().len());
    }
}
