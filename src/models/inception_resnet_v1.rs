//! Inception-ResNet-v1 (Szegedy et al. 2016, figures 14 to 19) as davidsandberg/facenet builds it
//! (`src/models/inception_resnet_v1.py`), batch norms folded.

use std::collections::BTreeMap;

use super::{Layer, conv, dense};
use crate::graph::{Constant, Graph, NodeId};
use crate::ops::{Activation, AvgPool2d, Concat, Conv2d, L2Normalize, MaxPool2d, Padding};
use crate::weights::facenet::{StoredLayer, StoredNetwork};
use crate::weights::{DenseWeights, InceptionResnetV1, TensorMap};
use crate::{Error, Result, Tensor};

use Padding::{Same, Valid};

/// How a layer gets into a graph: with folded constants for inference, with states and batch statistics for training.
/// Names are scopes below `InceptionResnetV1/`.
pub(crate) trait Layers {
    /// The graph under construction.
    fn graph(&mut self) -> &mut Graph;

    /// A convolution, normalized, followed by a rectifier.
    fn conv(&mut self, name: &str, x: NodeId, stride: usize, padding: Padding) -> Result<NodeId>;

    /// A convolution of one pixel with a bias, scaled and added to `trunk`; `relu` says whether a rectifier follows.
    fn up(&mut self, name: &str, x: NodeId, trunk: NodeId, scale: f32, relu: bool) -> Result<NodeId>;

    /// What was added since the last call is a block: what lies within may be computed again rather than kept.
    fn end_block(&mut self) {}
}

/// Where folded layers come from, each taken once, by its name.
trait Weights {
    fn take(&mut self, name: &str) -> Option<Layer>;
}

impl Weights for &InceptionResnetV1 {
    fn take(&mut self, name: &str) -> Option<Layer> {
        match name {
            BOTTLENECK => Some(Layer::from(&self.bottleneck)),
            _ => self.convs.get(name).map(Layer::from),
        }
    }
}

/// By name; filters still lie in the file.
impl Weights for BTreeMap<String, StoredLayer> {
    fn take(&mut self, name: &str) -> Option<Layer> {
        let (read, dims, b) = self.remove(name)?.fold();
        Some(Layer { w: Constant::stored(dims, read), b: b.into(), alpha: None })
    }
}

/// The last layer's name.
const BOTTLENECK: &str = "Bottleneck";

/// Folded constants.
struct Folded<W> {
    graph: Graph,
    weights: W,
}

impl<W: Weights> Folded<W> {
    fn weights(&mut self, name: &str) -> Result<Layer> {
        self.weights.take(name).ok_or_else(|| Error::invalid("Inception-ResNet-v1", format!("no weights `{name}`")))
    }

    fn layer(&mut self, name: &str, x: NodeId, attributes: Conv2d, residual: Option<NodeId>) -> Result<NodeId> {
        let weights = self.weights(name)?;
        Ok(conv(&mut self.graph, name, attributes, x, weights, residual))
    }
}

impl<W: Weights> Layers for Folded<W> {
    fn graph(&mut self) -> &mut Graph {
        &mut self.graph
    }

    fn conv(&mut self, name: &str, x: NodeId, stride: usize, padding: Padding) -> Result<NodeId> {
        self.layer(name, x, Conv2d::new(padding).stride([stride; 2]).activation(Activation::Relu), None)
    }

    fn up(&mut self, name: &str, x: NodeId, trunk: NodeId, scale: f32, relu: bool) -> Result<NodeId> {
        let activation = if relu { Activation::Relu } else { Activation::None };
        self.layer(name, x, Conv2d::new(Same).activation(activation).residual(scale), Some(trunk))
    }
}

/// The blocks over any layers.
struct Builder<'a, L> {
    layers: &'a mut L,
}

impl<L: Layers> Builder<'_, L> {
    fn conv(&mut self, name: &str, x: NodeId, stride: usize, padding: Padding) -> Result<NodeId> {
        self.layers.conv(name, x, stride, padding)
    }

    /// A chain of stride-1 SAME convolutions.
    fn chain(&mut self, scope: &str, x: NodeId, names: &[&str]) -> Result<NodeId> {
        names.iter().try_fold(x, |x, name| self.conv(&format!("{scope}/{name}"), x, 1, Same))
    }

    fn max_pool(&mut self, name: &str, x: NodeId) -> NodeId {
        self.layers.graph().op(name, MaxPool2d { kernel: [3; 2], stride: [2; 2], padding: Valid }, &[x])
    }

    /// Joins the branches, brings them back to the trunk's channels, and adds them to it, scaled.
    fn residual(&mut self, scope: &str, x: NodeId, branches: &[NodeId], scale: f32, relu: bool) -> Result<NodeId> {
        let mixed = self.layers.graph().op(&format!("{scope}/concat"), Concat, branches);
        let y = self.layers.up(&format!("{scope}/Conv2d_1x1"), mixed, x, scale, relu)?;
        self.layers.end_block();
        Ok(y)
    }

    /// 17x17 (at 160 pixels) by 256 channels.
    fn block35(&mut self, scope: &str, x: NodeId) -> Result<NodeId> {
        let branches = [
            self.chain(&format!("{scope}/Branch_0"), x, &["Conv2d_1x1"])?,
            self.chain(&format!("{scope}/Branch_1"), x, &["Conv2d_0a_1x1", "Conv2d_0b_3x3"])?,
            self.chain(&format!("{scope}/Branch_2"), x, &["Conv2d_0a_1x1", "Conv2d_0b_3x3", "Conv2d_0c_3x3"])?,
        ];
        self.residual(scope, x, &branches, 0.17, true)
    }

    /// 8x8 by 896 channels.
    fn block17(&mut self, scope: &str, x: NodeId) -> Result<NodeId> {
        let branches = [
            self.chain(&format!("{scope}/Branch_0"), x, &["Conv2d_1x1"])?,
            self.chain(&format!("{scope}/Branch_1"), x, &["Conv2d_0a_1x1", "Conv2d_0b_1x7", "Conv2d_0c_7x1"])?,
        ];
        self.residual(scope, x, &branches, 0.10, true)
    }

    /// 3x3 by 1,792 channels. The last one has scale 1 and no rectifier.
    fn block8(&mut self, scope: &str, x: NodeId, scale: f32, relu: bool) -> Result<NodeId> {
        let branches = [
            self.chain(&format!("{scope}/Branch_0"), x, &["Conv2d_1x1"])?,
            self.chain(&format!("{scope}/Branch_1"), x, &["Conv2d_0a_1x1", "Conv2d_0b_1x3", "Conv2d_0c_3x1"])?,
        ];
        self.residual(scope, x, &branches, scale, relu)
    }

    /// 17x17x256 to 8x8x896.
    fn reduction_a(&mut self, x: NodeId) -> Result<NodeId> {
        let a = self.conv("Mixed_6a/Branch_0/Conv2d_1a_3x3", x, 2, Valid)?;
        let b = self.chain("Mixed_6a/Branch_1", x, &["Conv2d_0a_1x1", "Conv2d_0b_3x3"])?;
        let b = self.conv("Mixed_6a/Branch_1/Conv2d_1a_3x3", b, 2, Valid)?;
        let c = self.max_pool("Mixed_6a/Branch_2/MaxPool_1a_3x3", x);
        let y = self.layers.graph().op("Mixed_6a/concat", Concat, &[a, b, c]);
        self.layers.end_block();
        Ok(y)
    }

    /// 8x8x896 to 3x3x1792.
    fn reduction_b(&mut self, x: NodeId) -> Result<NodeId> {
        let a = self.chain("Mixed_7a/Branch_0", x, &["Conv2d_0a_1x1"])?;
        let a = self.conv("Mixed_7a/Branch_0/Conv2d_1a_3x3", a, 2, Valid)?;
        let b = self.chain("Mixed_7a/Branch_1", x, &["Conv2d_0a_1x1"])?;
        let b = self.conv("Mixed_7a/Branch_1/Conv2d_1a_3x3", b, 2, Valid)?;
        let c = self.chain("Mixed_7a/Branch_2", x, &["Conv2d_0a_1x1", "Conv2d_0b_3x3"])?;
        let c = self.conv("Mixed_7a/Branch_2/Conv2d_1a_3x3", c, 2, Valid)?;
        let d = self.max_pool("Mixed_7a/Branch_3/MaxPool_1a_3x3", x);
        let y = self.layers.graph().op("Mixed_7a/concat", Concat, &[a, b, c, d]);
        self.layers.end_block();
        Ok(y)
    }
}

/// The network up to the mean of its last feature map, `[n, 1, 1, features]`; `x` are standardized RGB crops
/// `[n, h, w, 3]`.
pub(crate) fn features(layers: &mut impl Layers, x: NodeId) -> Result<NodeId> {
    let mut b = Builder { layers };
    let x = b.conv("Conv2d_1a_3x3", x, 2, Valid)?;
    let x = b.conv("Conv2d_2a_3x3", x, 1, Valid)?;
    let x = b.conv("Conv2d_2b_3x3", x, 1, Same)?;
    let x = b.max_pool("MaxPool_3a_3x3", x);
    b.layers.end_block();
    let x = b.conv("Conv2d_3b_1x1", x, 1, Valid)?;
    let x = b.conv("Conv2d_4a_3x3", x, 1, Valid)?;
    let mut x = b.conv("Conv2d_4b_3x3", x, 2, Valid)?;
    b.layers.end_block();
    for i in 1..=5 {
        x = b.block35(&format!("Repeat/block35_{i}"), x)?;
    }
    x = b.reduction_a(x)?;
    for i in 1..=10 {
        x = b.block17(&format!("Repeat_1/block17_{i}"), x)?;
    }
    x = b.reduction_b(x)?;
    for i in 1..=5 {
        x = b.block8(&format!("Repeat_2/block8_{i}"), x, 0.20, true)?;
    }
    x = b.block8("Block8", x, 1.0, false)?;
    Ok(b.layers.graph().op("AvgPool_1a_8x8", AvgPool2d::global(), &[x]))
}

/// Sides of the smallest crops that the network takes, and of the largest that make sense, in pixels.
pub const SMALLEST_CROP: usize = 80;
/// See [`SMALLEST_CROP`]: a larger one is a typing error, and its products might not fit a number.
pub const LARGEST_CROP: usize = 1 << 12;

/// The embedding network. Input: standardized RGB crops `[n, 160, 160, 3]` (any size from 80x80 works); output:
/// unit vectors `[n, d]`.
///
/// # Errors
/// [`Error::Invalid`] names a layer that `weights` lacks.
pub fn inception_resnet_v1(weights: &InceptionResnetV1) -> Result<Graph> {
    embeddings(weights)
}

/// As [`inception_resnet_v1`], of a file's tensors. The filters stay in the file until a device loads the graph, which
/// then holds them once, as the device wants them.
///
/// # Errors
/// As [`crate::weights::facenet::unfolded`], but that filters which are not finite are found when they are read.
pub fn inception_resnet_v1_of(map: &TensorMap) -> Result<Graph> {
    let StoredNetwork { convs, bottleneck, .. } = StoredNetwork::find(map)?;
    let mut layers = convs;
    layers.insert(BOTTLENECK.to_owned(), bottleneck);
    embeddings(layers)
}

fn embeddings(weights: impl Weights) -> Result<Graph> {
    let (mut graph, x) = prelogits(weights)?;
    let x = graph.op("embeddings", L2Normalize { epsilon: 1e-10 }, &[x]);
    graph.output(x);
    Ok(graph)
}

/// The network with its classifier, `[classes, d]` and `[classes]`: crops to logits `[n, classes]`.
///
/// # Errors
/// As [`inception_resnet_v1`].
pub fn classifier(weights: &InceptionResnetV1, (w, b): (Tensor, Tensor)) -> Result<Graph> {
    let (mut graph, x) = prelogits(weights)?;
    let x = dense(&mut graph, "Logits", x, &DenseWeights { w, b, alpha: None });
    graph.output(x);
    Ok(graph)
}

fn prelogits(weights: impl Weights) -> Result<(Graph, NodeId)> {
    let mut layers = Folded { graph: Graph::new(), weights };
    let x = layers.graph.input("image");
    let x = features(&mut layers, x)?;
    let bottleneck = layers.weights(BOTTLENECK)?;
    let mut graph = layers.graph;
    let x = dense(&mut graph, BOTTLENECK, x, bottleneck);
    Ok((graph, x))
}
