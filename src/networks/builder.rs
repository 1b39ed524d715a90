//! What definitions are written with: maps that know their channels, and layers by published channels.

use super::{Follows, LayerSpec, Layers, ModelDef, Product, Width};
use crate::graph::NodeId;
use crate::ops::window::Axis;
use crate::ops::{Activation, AvgPool2d, Concat, Flatten, L2Pool2d, Lrn, MaxPool2d, Pad2d, Padding};
use crate::{Error, Result};

/// A feature map under construction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    /// Its values.
    pub node: NodeId,
    /// Its channels.
    pub c: usize,
}

/// A convolution, but for its input and its channels: one pixel in steps of one, SAME, a batch norm and a rectifier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conv {
    pub kernel: [usize; 2],
    pub stride: usize,
    pub padding: Padding,
    pub follows: Follows,
    pub activation: Activation,
}

impl Conv {
    /// With filters of these extents.
    pub fn of(kernel: [usize; 2]) -> Self {
        let (follows, activation) = (Follows::Norm, Activation::Relu);
        Conv { kernel, stride: 1, padding: Padding::Same, follows, activation }
    }

    /// With this stride.
    pub fn stride(self, stride: usize) -> Self {
        Conv { stride, ..self }
    }

    /// Meeting the border so.
    pub fn padding(self, padding: Padding) -> Self {
        Conv { padding, ..self }
    }

    /// With a bias in place of a batch norm.
    pub fn biased(self) -> Self {
        Conv { follows: Follows::Bias, ..self }
    }

    /// Without a rectifier.
    pub fn linear(self) -> Self {
        Conv { activation: Activation::None, ..self }
    }
}

/// Side of a map of this network after a window went over it.
pub(super) fn after(def: ModelDef, side: usize, kernel: usize, stride: usize, padding: Padding) -> Result<usize> {
    let too_small = || Error::invalid(def.title(), format!("crops of {} pixels are the smallest", def.smallest_crop()));
    Axis::new(side, kernel, stride, padding).map(|axis| axis.out).ok_or_else(too_small)
}

/// Adds layers of a width.
pub(super) struct Builder<'a, L> {
    pub layers: &'a mut L,
    pub width: Width,
}

impl<L: Layers> Builder<'_, L> {
    /// A convolution to `published` channels, which the width makes fewer.
    pub fn conv(&mut self, name: &str, x: Map, published: usize, conv: Conv) -> Result<Map> {
        let c = self.width.channels(published);
        let Conv { kernel: [k_h, k_w], stride, padding, follows, activation } = conv;
        let spec = LayerSpec { name: name.to_owned(), w: vec![c, k_h, k_w, x.c], follows };
        let product = Product::Conv { stride: [stride; 2], padding, residual: None };
        Ok(Map { node: self.layers.layer(spec, product, activation, x.node)?, c })
    }

    /// A convolution of one pixel with a bias back to a residual's channels, scaled and added to it.
    pub fn up(&mut self, name: &str, x: Map, trunk: Map, scale: f32, relu: bool) -> Result<Map> {
        let spec = LayerSpec { name: name.to_owned(), w: vec![trunk.c, 1, 1, x.c], follows: Follows::Bias };
        let residual = Some((scale, trunk.node));
        let product = Product::Conv { stride: [1; 2], padding: Padding::Same, residual };
        let activation = if relu { Activation::Relu } else { Activation::None };
        Ok(Map { node: self.layers.layer(spec, product, activation, x.node)?, ..trunk })
    }

    /// The maximum over windows.
    pub fn max_pool(&mut self, name: &str, x: Map, side: usize, padding: Padding) -> Map {
        let pool = MaxPool2d { kernel: [side; 2], stride: [2; 2], padding };
        Map { node: self.layers.graph().op(name, pool, &[x.node]), ..x }
    }

    /// The Euclidean norm over windows that do not meet.
    pub fn norm_pool(&mut self, name: &str, x: Map, side: usize) -> Map {
        let pool = L2Pool2d { kernel: [side; 2], stride: [side; 2], padding: Padding::Valid };
        Map { node: self.layers.graph().op(name, pool, &[x.node]), ..x }
    }

    /// Local response normalization.
    pub fn response(&mut self, name: &str, x: Map, op: Lrn) -> Map {
        Map { node: self.layers.graph().op(name, op, &[x.node]), ..x }
    }

    /// Zeros before and after both axes.
    pub fn pad(&mut self, name: &str, x: Map, borders: [usize; 2]) -> Map {
        let pad = Pad2d { borders: [borders.map(|border| border as i32); 2] };
        Map { node: self.layers.graph().op(name, pad, &[x.node]), ..x }
    }

    /// The mean of the whole map, `[n, 1, 1, c]`.
    pub fn mean(&mut self, name: &str, x: Map) -> Map {
        Map { node: self.layers.graph().op(name, AvgPool2d::global(), &[x.node]), ..x }
    }

    /// Maps side by side.
    pub fn concat(&mut self, name: &str, maps: &[Map]) -> Map {
        let nodes: Vec<NodeId> = maps.iter().map(|map| map.node).collect();
        Map { node: self.layers.graph().op(name, Concat, &nodes), c: maps.iter().map(|map| map.c).sum() }
    }

    /// The mean of the last map, in training with dropout, and the bottleneck: what davidsandberg/facenet's Inceptions end
    /// with.
    pub fn bottleneck(&mut self, x: Map, embedding_size: usize) -> Result<NodeId> {
        let x = self.mean("AvgPool_1a_8x8", x);
        let node = self.layers.graph().op("features", Flatten, &[x.node]);
        let node = self.layers.dropout(node);
        self.dense("Bottleneck", node, [embedding_size, x.c], Follows::Norm, Activation::None)
    }

    /// A product of all that an image has.
    pub fn dense(
        &mut self,
        name: &str,
        x: NodeId,
        extents: [usize; 2],
        follows: Follows,
        activation: Activation,
    ) -> Result<NodeId> {
        let spec = LayerSpec { name: name.to_owned(), w: extents.to_vec(), follows };
        self.layers.layer(spec, Product::Dense, activation, x)
    }
}
