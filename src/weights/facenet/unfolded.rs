//! The network's weights as training has them: batch norms apart.

use std::collections::BTreeMap;

use super::stored::{StoredLayer, StoredNetwork};
use super::{EPSILON, InceptionResnetV1, Width};
use crate::error::Result;
use crate::tensor::Tensor;
use crate::weights::TensorMap;
use crate::weights::layers::{ConvWeights, DenseWeights};

/// The embedding network's weights, and the classifier's that it was trained with.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfolded {
    /// How wide the network is.
    pub width: Width,
    /// The 132 convolutions by [`super::LayerSpec::name`].
    pub convs: BTreeMap<String, UnfoldedLayer>,
    /// The last layer, `[embedding_size, features]`.
    pub bottleneck: UnfoldedLayer,
    /// The classifier, `[classes, embedding_size]` and `[classes]`, where the file has it.
    pub logits: Option<(Tensor, Tensor)>,
}

/// A layer's weights, outputs first, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfoldedLayer {
    /// `[c_out, ..]`.
    pub w: Tensor,
    /// What follows the product.
    pub norm: Norm,
}

/// What follows a layer's product.
#[derive(Clone, Debug, PartialEq)]
pub enum Norm {
    /// A bias `[c_out]`: an up-projection's, or what is left of a batch norm that was folded.
    Bias(Tensor),
    /// A batch norm.
    Batch(BatchNormWeights),
}

/// A batch norm's parameters and statistics, each `[c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormWeights {
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
    /// Length of an embedding.
    pub fn embedding_size(&self) -> usize {
        self.bottleneck.w.dims()[0]
    }

    /// The same with biases in place of batch norms, and without the classifier.
    pub fn folded(self) -> Unfolded {
        let bias = |layer: UnfoldedLayer| {
            let (w, b) = layer.fold();
            UnfoldedLayer { w, norm: Norm::Bias(b) }
        };
        Unfolded {
            convs: self.convs.into_iter().map(|(name, layer)| (name, bias(layer))).collect(),
            bottleneck: bias(self.bottleneck),
            logits: None,
            ..self
        }
    }

    /// The same network with its batch norms folded into weights and biases.
    pub fn fold(self) -> InceptionResnetV1 {
        let embedding_size = self.embedding_size();
        let convs = self.convs.into_iter().map(|(name, layer)| {
            let (w, b) = layer.fold();
            (name, ConvWeights { w, b, alpha: None })
        });
        let convs = convs.collect();
        let (w, b) = self.bottleneck.fold();
        InceptionResnetV1 { convs, bottleneck: DenseWeights { w, b, alpha: None }, embedding_size }
    }
}

impl UnfoldedLayer {
    /// Weights and bias, the batch norm folded in.
    fn fold(self) -> (Tensor, Tensor) {
        let (b, scales) = self.norm.fold();
        (scaled(self.w, scales.as_deref()), b)
    }
}

impl Norm {
    /// What is added to each output, and by what its weights are multiplied, if by anything.
    pub(super) fn fold(self) -> (Tensor, Option<Vec<f64>>) {
        let norm = match self {
            Norm::Bias(b) => return (b, None),
            Norm::Batch(norm) => norm,
        };
        let n = norm.beta.data().len();
        let gamma = |i: usize| norm.gamma.as_ref().map_or(1.0, |gamma| f64::from(gamma.data()[i]));
        let scale = |(i, &variance): (usize, &f32)| gamma(i) / (f64::from(variance) + EPSILON).sqrt();
        let scales: Vec<f64> = norm.variance.data().iter().enumerate().map(scale).collect();
        let b = norm.beta.data().iter().zip(norm.mean.data()).zip(&scales);
        let b = b.map(|((&beta, &mean), scale)| (f64::from(beta) - f64::from(mean) * scale) as f32).collect();
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

/// The weights of a file, batch norms as it has them.
///
/// # Errors
/// [`crate::Error::Tensor`] for a missing or misshapen tensor, [`crate::Error::Weights`] for an extra one, for a naming
/// that is none of the three, for a variance that is not positive, and for weights that are not finite.
pub fn unfolded(map: &TensorMap) -> Result<Unfolded> {
    let stored = StoredNetwork::find(map)?;
    let layer = |layer: StoredLayer| Ok(UnfoldedLayer { w: layer.w.read()?, norm: layer.norm });
    let convs = stored.convs.into_iter().map(|(name, conv)| Ok((name, layer(conv)?)));
    Ok(Unfolded {
        width: stored.width,
        convs: convs.collect::<Result<_>>()?,
        bottleneck: layer(stored.bottleneck)?,
        logits: stored.logits.map(|(w, b)| Ok::<_, crate::Error>((w.read()?, b))).transpose()?,
    })
}
