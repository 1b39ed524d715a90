//! Layers with weights, as a definition names them.

use crate::graph::NodeId;
use crate::ops::Padding;
use crate::random::{Stream, purpose};

/// A layer with weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSpec {
    /// TensorFlow's scope below the network's, such as `Repeat/block35_1/Branch_1/Conv2d_0b_3x3`.
    pub name: String,
    /// Extents of its weights, outputs first: a convolution's `[c_out, k_h, k_w, c_in]`, a locally connected layer's
    /// `[h_out, w_out, c_out, k_h, k_w, c_in]`, a dense layer's `[out, in]`.
    pub w: Vec<usize>,
    /// What follows the product.
    pub follows: Follows,
}

/// What follows a layer's product, before its activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// A bias.
    Bias,
    /// A batch norm.
    Norm,
    /// A bias, and then a batch norm, which makes it of no use; published weights have it all the same.
    BiasAndNorm,
}

impl Follows {
    /// Whether a bias follows.
    pub fn has_bias(self) -> bool {
        self != Follows::Norm
    }

    /// Whether a batch norm follows.
    pub fn has_norm(self) -> bool {
        self != Follows::Bias
    }
}

impl LayerSpec {
    /// Extents of a bias: one for each output, of each position where those have filters of their own.
    pub fn bias(&self) -> &[usize] {
        match self.w.len() {
            6 => &self.w[..3],
            _ => &self.w[..1],
        }
    }

    /// Output channels.
    pub fn c_out(&self) -> usize {
        self.w[self.bias().len() - 1]
    }

    /// Weights that a sum has, and outputs that one input has a part in: fan-in and fan-out.
    fn fans(&self) -> [usize; 2] {
        let inputs = &self.w[self.bias().len()..];
        let [fan_in, taps] = [inputs, &inputs[..inputs.len() - 1]].map(|extents| extents.iter().product::<usize>());
        [fan_in, taps * self.c_out()]
    }

    /// Weights to begin with, a function of the seed and the layer's number: uniform, by Glorot and Bengio 2010
    /// (TensorFlow's `xavier_initializer`).
    pub(crate) fn initialize(&self, seed: u64, number: u64, w: &mut [f32]) {
        glorot(self.fans(), seed, number, w);
    }
}

/// See [`LayerSpec::initialize`].
pub(crate) fn glorot([fan_in, fan_out]: [usize; 2], seed: u64, number: u64, w: &mut [f32]) {
    let limit = (6.0 / (fan_in + fan_out) as f64).sqrt() as f32;
    let mut random = Stream::new(seed, purpose::INIT, number);
    w.iter_mut().for_each(|w| *w = limit * (2.0 * random.uniform() - 1.0));
}

/// How a layer meets its input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Product {
    /// A convolution; a residual is added, scaled, to another map.
    Conv { stride: [usize; 2], padding: Padding, residual: Option<(f32, NodeId)> },
    /// A convolution with filters of each position's own, within the map.
    Local { stride: [usize; 2] },
    /// A product with all that an image has.
    Dense,
}
