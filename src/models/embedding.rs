//! The embedding networks as graphs of inference: definitions over folded constants.

use std::collections::BTreeMap;

use super::{Layer, conv, dense};
use crate::graph::{Constant, Graph, NodeId};
use crate::networks::{LayerSpec, Layers, NetworkSpec, Product};
use crate::ops::{Activation, Conv2d, Dense, L2Normalize, LocalConv2d, Op};
use crate::weights::network::{StoredLayer, StoredNetwork};
use crate::weights::{DenseWeights, EmbeddingNetwork, TensorMap};
use crate::{Error, Result, Tensor};

/// Where folded layers come from, each taken once.
trait Weights {
    fn take(&mut self, layer: &LayerSpec) -> Option<Layer>;
}

impl Weights for &EmbeddingNetwork {
    fn take(&mut self, layer: &LayerSpec) -> Option<Layer> {
        match layer.name == self.network.def.last_layer() {
            true => Some(Layer::from(&self.bottleneck)),
            false => self.layers.get(&layer.name).map(Layer::from),
        }
    }
}

/// Filters that still lie in the file.
struct InFile {
    layers: BTreeMap<String, StoredLayer>,
    epsilon: f64,
}

impl Weights for InFile {
    fn take(&mut self, layer: &LayerSpec) -> Option<Layer> {
        let (read, dims, b) = self.layers.remove(&layer.name)?.fold(self.epsilon);
        Some(Layer { w: Constant::stored(dims, read), b: b.into(), alpha: None })
    }
}

/// Weights drawn by a seed, layer by layer when they are asked for; biases are 0.
struct Seeded {
    seed: u64,
    drawn: u64,
}

impl Weights for Seeded {
    fn take(&mut self, layer: &LayerSpec) -> Option<Layer> {
        let (seed, number, spec) = (self.seed, self.drawn, layer.clone());
        self.drawn += 1;
        let draw = move || {
            let mut w = Tensor::zeros(spec.w.clone());
            spec.initialize(seed, number, w.data_mut());
            Ok(w)
        };
        Some(Layer {
            w: Constant::stored(layer.w.clone(), draw),
            b: Tensor::zeros(layer.bias().to_vec()).into(),
            alpha: None,
        })
    }
}

/// Folded constants.
struct Folded<W> {
    graph: Graph,
    network: NetworkSpec,
    weights: W,
}

impl<W: Weights> Layers for Folded<W> {
    fn graph(&mut self) -> &mut Graph {
        &mut self.graph
    }

    fn layer(&mut self, layer: LayerSpec, product: Product, activation: Activation, x: NodeId) -> Result<NodeId> {
        let name = &layer.name;
        let missing = || Error::invalid(self.network.def.title(), format!("no weights `{name}`"));
        let weights = self.weights.take(&layer).ok_or_else(missing)?;
        let graph = &mut self.graph;
        let op: Op = match product {
            Product::Conv { stride, padding, residual } => {
                let mut op = Conv2d::new(padding).stride(stride).activation(activation);
                op.residual_scale = residual.map(|(scale, _)| scale);
                return Ok(conv(graph, name, op, x, weights, residual.map(|(_, trunk)| trunk)));
            }
            Product::Local { stride } => LocalConv2d { stride, activation }.into(),
            Product::Dense => Dense { bias: true, activation }.into(),
        };
        let w = graph.param(&format!("{name}/w"), weights.w);
        let b = graph.param(&format!("{name}/b"), weights.b);
        Ok(graph.op(name, op, &[x, w, b]))
    }
}

/// An embedding network. Input: standardized RGB crops `[n, side, side, 3]`, of the side that the network is defined for
/// or, but for DeepFace, another from [`ModelDef::smallest_crop`](crate::networks::ModelDef::smallest_crop); output: unit
/// vectors `[n, d]`.
///
/// # Errors
/// [`Error::Invalid`] names a layer that `weights` lacks.
pub fn embedding_network(weights: &EmbeddingNetwork) -> Result<Graph> {
    embeddings(weights.network, weights)
}

/// As [`embedding_network`], of a file's tensors, and which network it is; `side` may choose crops of another size than those
/// that the file tells of. The filters stay in the file until a device
/// loads the graph, which then holds them once, as the device wants them.
///
/// # Errors
/// As [`crate::weights::network::unfolded`], but that filters which are not finite are found when they are read;
/// [`Error::Invalid`] for crops that the network does not take.
pub fn embedding_network_of(
    map: &TensorMap,
    side: impl FnOnce(&NetworkSpec) -> Option<usize>,
) -> Result<(Graph, NetworkSpec)> {
    let StoredNetwork { network, mut layers, bottleneck, .. } = StoredNetwork::find(map)?;
    let network = side(&network).map_or(Ok(network), |side| network.resized(side))?;
    layers.insert(network.def.last_layer().to_owned(), bottleneck);
    let weights = InFile { layers, epsilon: network.def.epsilon() };
    Ok((embeddings(network, weights)?, network))
}

/// As [`embedding_network`], with weights drawn by a seed: for what depends on a network's extents alone, as its plan and
/// its speed. They are drawn when a device loads the graph.
///
/// # Errors
/// [`Error::Invalid`] for crops that are too small for the network.
pub fn seeded_network(network: NetworkSpec, seed: u64) -> Result<Graph> {
    embeddings(network, Seeded { seed, drawn: 0 })
}

fn embeddings(network: NetworkSpec, weights: impl Weights) -> Result<Graph> {
    let (mut graph, x) = prelogits(network, weights)?;
    let x = graph.op("embeddings", L2Normalize { epsilon: 1e-10 }, &[x]);
    graph.output(x);
    Ok(graph)
}

/// The network with its classifier, `[classes, d]` and `[classes]`: crops to logits `[n, classes]`.
///
/// # Errors
/// As [`embedding_network`].
pub fn classifier(weights: &EmbeddingNetwork, (w, b): (Tensor, Tensor)) -> Result<Graph> {
    let (mut graph, x) = prelogits(weights.network, weights)?;
    let x = dense(&mut graph, "Logits", x, &DenseWeights { w, b, alpha: None });
    graph.output(x);
    Ok(graph)
}

fn prelogits(network: NetworkSpec, weights: impl Weights) -> Result<(Graph, NodeId)> {
    let mut layers = Folded { graph: Graph::new(), network, weights };
    let x = layers.graph.input("image");
    let x = network.prelogits(&mut layers, x)?;
    Ok((layers.graph, x))
}
