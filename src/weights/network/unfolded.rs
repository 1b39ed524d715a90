//! A network's weights as training has them: batch norms apart.

use std::collections::BTreeMap;

use super::EmbeddingNetwork;
use super::stored::{StoredLayer, StoredNetwork};
use crate::error::{Error, Result};
use crate::networks::NetworkSpec;
use crate::tensor::Tensor;
use crate::weights::TensorMap;
use crate::weights::layers::{ConvWeights, DenseWeights};

/// An embedding network's weights, and the classifier's that it was trained with.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfolded {
    /// Which network it is.
    pub network: NetworkSpec,
    /// All layers but the last one, by [`LayerSpec::name`](crate::networks::LayerSpec::name).
    pub layers: BTreeMap<String, UnfoldedLayer>,
    /// The last layer, `[embedding_size, features]`.
    pub bottleneck: UnfoldedLayer,
    /// The classifier, `[classes, embedding_size]` and `[classes]`, where the file has it.
    pub logits: Option<(Tensor, Tensor)>,
}

/// A layer's weights, outputs first, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfoldedLayer {
    /// As [`LayerSpec::w`](crate::networks::LayerSpec::w) has it.
    pub w: Tensor,
    /// What follows the product.
    pub norm: Norm,
}

/// What follows a layer's product.
#[derive(Clone, Debug, PartialEq)]
pub enum Norm {
    /// A bias, as [`LayerSpec::bias`](crate::networks::LayerSpec::bias) has it: a layer's own, or what is left of a batch
    /// norm that was folded.
    Bias(Tensor),
    /// A batch norm.
    Batch(BatchNormWeights),
}

/// A batch norm's parameters and statistics, each `[c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormWeights {
    /// A bias before it, where the network has one.
    pub bias: Option<Tensor>,
    /// The scale; the original trains none, which is 1.
    pub gamma: Option<Tensor>,
    /// The offset.
    pub beta: Tensor,
    /// The running mean.
    pub mean: Tensor,
    /// The running variance.
    pub variance: Tensor,
}

impl Unfolded {
    /// A layer by its name, the last one among them.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is none.
    pub fn layer(&self, name: &str) -> Result<&UnfoldedLayer> {
        let found = match name == self.network.def.last_layer() {
            true => Some(&self.bottleneck),
            false => self.layers.get(name),
        };
        found.ok_or_else(|| Error::invalid(self.network.def.title(), format!("no weights `{name}`")))
    }

    /// Length of an embedding.
    pub fn embedding_size(&self) -> usize {
        self.network.embedding_size
    }

    /// The same with biases in place of batch norms, and without the classifier.
    pub fn folded(self) -> Unfolded {
        let epsilon = self.network.def.epsilon();
        let bias = |layer: UnfoldedLayer| {
            let (w, b) = layer.fold(epsilon);
            UnfoldedLayer { w, norm: Norm::Bias(b) }
        };
        Unfolded {
            layers: self.layers.into_iter().map(|(name, layer)| (name, bias(layer))).collect(),
            bottleneck: bias(self.bottleneck),
            logits: None,
            ..self
        }
    }

    /// The same network with its batch norms folded into weights and biases.
    pub fn fold(self) -> EmbeddingNetwork {
        let epsilon = self.network.def.epsilon();
        let layers = self.layers.into_iter().map(|(name, layer)| {
            let (w, b) = layer.fold(epsilon);
            (name, ConvWeights { w, b, alpha: None })
        });
        let layers = layers.collect();
        let (w, b) = self.bottleneck.fold(epsilon);
        EmbeddingNetwork { network: self.network, layers, bottleneck: DenseWeights { w, b, alpha: None } }
    }
}

impl UnfoldedLayer {
    /// Weights and bias, the batch norm folded in.
    fn fold(self, epsilon: f64) -> (Tensor, Tensor) {
        let (b, scales) = self.norm.fold(epsilon);
        (scaled(self.w, scales.as_deref()), b)
    }
}

impl Norm {
    /// What is added to each output, and by what its weights are multiplied, if by anything.
    pub(super) fn fold(self, epsilon: f64) -> (Tensor, Option<Vec<f64>>) {
        let norm = match self {
            Norm::Bias(b) => return (b, None),
            Norm::Batch(norm) => norm,
        };
        let n = norm.beta.data().len();
        let gamma = |i: usize| norm.gamma.as_ref().map_or(1.0, |gamma| f64::from(gamma.data()[i]));
        let scale = |(i, &variance): (usize, &f32)| gamma(i) / (f64::from(variance) + epsilon).sqrt();
        let scales: Vec<f64> = norm.variance.data().iter().enumerate().map(scale).collect();
        let before = |i: usize| norm.bias.as_ref().map_or(0.0, |bias| f64::from(bias.data()[i]));
        let b = norm.beta.data().iter().zip(norm.mean.data()).zip(&scales).enumerate();
        let shifted = |(i, ((&beta, &mean), scale)): (usize, ((&f32, &f32), &f64))| {
            (f64::from(beta) + (before(i) - f64::from(mean)) * scale) as f32
        };
        let b = b.map(shifted).collect();
        (Tensor::new([n], b), Some(scales))
    }
}

/// Each output's weights times its scale.
pub(super) fn scaled(mut w: Tensor, scales: Option<&[f64]>) -> Tensor {
    let Some(scales) = scales else { return w };
    let per_output = w.data().len() / scales.len().max(1);
    if per_output > 0 {
        for (row, scale) in w.data_mut().chunks_exact_mut(per_output).zip(scales) {
            row.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
        }
    }
    w
}

/// The weights of a file of any network, batch norms as it has them.
///
/// # Errors
/// [`crate::Error::Tensor`] for a missing or misshapen tensor, [`crate::Error::Weights`] for an extra one, for names that
/// are no network's, for a variance that is not positive, and for weights that are not finite.
pub fn unfolded(map: &TensorMap) -> Result<Unfolded> {
    let stored = StoredNetwork::find(map)?;
    let layer = |layer: StoredLayer| Ok(UnfoldedLayer { w: layer.w.read()?, norm: layer.norm });
    let layers = stored.layers.into_iter().map(|(name, stored)| Ok((name, layer(stored)?)));
    Ok(Unfolded {
        network: stored.network,
        layers: layers.collect::<Result<_>>()?,
        bottleneck: layer(stored.bottleneck)?,
        logits: stored.logits.map(|(w, b)| Ok::<_, crate::Error>((w.read()?, b))).transpose()?,
    })
}
