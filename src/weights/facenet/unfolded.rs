//! The network's weights as training has them: batch norms apart.

use std::collections::BTreeMap;

use super::naming::{Naming, NormNames};
use super::{EPSILON, InceptionResnetV1, Width, layers_of};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::weights::TensorMap;
use crate::weights::layers::{ConvWeights, DenseWeights, LayerSource};

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
        let norm = match self.norm {
            Norm::Bias(b) => return (self.w, b),
            Norm::Batch(norm) => norm,
        };
        let n = norm.beta.data().len();
        let gamma = |i: usize| norm.gamma.as_ref().map_or(1.0, |gamma| f64::from(gamma.data()[i]));
        let scale = |(i, &variance): (usize, &f32)| gamma(i) / (f64::from(variance) + EPSILON).sqrt();
        let scales: Vec<f64> = norm.variance.data().iter().enumerate().map(scale).collect();
        let b = norm.beta.data().iter().zip(norm.mean.data()).zip(&scales);
        let b = b.map(|((&beta, &mean), scale)| (f64::from(beta) - f64::from(mean) * scale) as f32).collect();
        (scaled(self.w, &scales), Tensor::new([n], b))
    }
}

/// Each output's weights times its scale.
fn scaled(mut w: Tensor, scales: &[f64]) -> Tensor {
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
/// [`Error::Tensor`] for a missing or misshapen tensor, [`Error::Weights`] for an extra one, for a naming that is none of
/// the three, and for a variance that is not positive.
pub fn unfolded(map: &TensorMap) -> Result<Unfolded> {
    let naming = Naming::of(map)?;
    let mut source = LayerSource::new(map, |name| naming.simplify(name));
    let width = width(&source, &naming);
    let layers = layers_of(width);
    let mut convs = BTreeMap::new();
    for (i, layer) in layers.iter().enumerate() {
        let scope = naming.layer(&layers, i);
        let &super::LayerSpec { c_out, k_h, k_w, c_in, .. } = layer;
        let (shape, axes) = match naming {
            Naming::Torch => ([c_out, c_in, k_h, k_w], [0, 2, 3, 1]),
            _ => ([k_h, k_w, c_in, c_out], [3, 0, 1, 2]),
        };
        let names = naming.conv_names(&scope, layer.bias_only);
        let w = source.take(&names.weights, &shape)?.permute(&axes);
        convs.insert(layer.name.clone(), UnfoldedLayer { w, norm: norm(&names.norm, &mut source, c_out)? });
    }
    let names = naming.bottleneck_names();
    let w = outputs_first(&mut source, &naming, &names.weights, width.features(), 512)?;
    let bottleneck = UnfoldedLayer { norm: norm(&names.norm, &mut source, w.dims()[0])?, w };
    let [weights, biases] = naming.logits_names();
    let logits = if source.has(weights) && source.has(biases) {
        let w = outputs_first(&mut source, &naming, weights, bottleneck.w.dims()[0], 1)?;
        let b = source.take(biases, &[w.dims()[0]])?.clone();
        Some((w, b))
    } else {
        None
    };
    source.finish(|name| naming.is_harmless(name, map.format))?;
    Ok(Unfolded { width, convs, bottleneck, logits })
}

/// The width that the first layer has; the published one where that makes no sense, so that errors name its shapes.
fn width(source: &LayerSource<'_>, naming: &Naming) -> Width {
    let layers = super::layers();
    let names = naming.conv_names(&naming.layer(&layers, 0), false);
    let channels = source.dims(&names.weights).and_then(|dims| match naming {
        Naming::Torch => dims.first(),
        _ => dims.last(),
    });
    channels.and_then(|&channels| Width::of_stem(channels)).unwrap_or(Width::FULL)
}

/// A dense layer's weights as `[out, in]`; `out` is the file's. Where it is missing or of another rank, the error names
/// `usual`.
fn outputs_first(source: &mut LayerSource<'_>, naming: &Naming, name: &str, k: usize, usual: usize) -> Result<Tensor> {
    let size = match (source.dims(name), naming) {
        (Some(&[size, _]), Naming::Torch) | (Some(&[_, size]), Naming::TensorFlow(_) | Naming::Keras) => size,
        _ => usual,
    };
    match naming {
        Naming::Torch => Ok(source.take(name, &[size, k])?.clone()),
        _ => Ok(source.take(name, &[k, size])?.permute(&[1, 0])),
    }
}

/// What follows a layer of `n` outputs.
fn norm(names: &NormNames, source: &mut LayerSource<'_>, n: usize) -> Result<Norm> {
    let normalized = source.has(&names.beta) || source.has(&names.mean);
    if !normalized && let Some(name) = names.biases.iter().find(|name| source.has(name)) {
        return Ok(Norm::Bias(source.take(name, &[n])?.clone()));
    }
    if names.expects_bias
        && let Some(name) = names.biases.first()
    {
        return Ok(Norm::Bias(source.take(name, &[n])?.clone()));
    }
    let beta = source.take(&names.beta, &[n])?.clone();
    let mean = source.take(&names.mean, &[n])?.clone();
    let variance = source.take(&names.variance, &[n])?.clone();
    let gamma = match names.gammas.iter().find(|name| source.has(name)) {
        Some(name) => source.take_if_there(name, &[n])?.cloned(),
        None => None,
    };
    let bad = |&(_, &variance): &(usize, &f32)| !(f64::from(variance) + EPSILON > 0.0 && variance.is_finite());
    if let Some((i, variance)) = variance.data().iter().enumerate().find(bad) {
        let problem = format!("tensor `{}`: {variance} at {i} is no variance; fetch it again", names.variance);
        return Err(Error::weights(&source.map.path, problem));
    }
    Ok(Norm::Batch(BatchNormWeights { gamma, beta, mean, variance }))
}
