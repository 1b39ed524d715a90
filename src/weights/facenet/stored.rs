//! The network's weights in a file of any publisher's naming.

use std::collections::BTreeMap;

use super::EPSILON;
use super::naming::{Naming, NormNames};
use super::ordered;
use super::table::{ConvSpec, FEATURES, layers, layers_of};
use crate::error::Result;
use crate::networks::{ModelDef, NetworkSpec, Width};
use crate::weights::TensorMap;
use crate::weights::layers::LayerSource;
use crate::weights::network::{BatchNormWeights, Norm, StoredLayer, StoredNetwork, StoredWeights, check_variances};

/// Which network it is, of a width and a size of embeddings.
pub(super) fn network(width: Width, embedding_size: usize) -> NetworkSpec {
    NetworkSpec::new(ModelDef::InceptionResnetV1).width(width).embedding_size(embedding_size)
}

/// Finds every layer in a file.
///
/// # Errors
/// As [`unfolded`](crate::weights::network::unfolded), but for filters that are not finite.
pub(crate) fn find(map: &TensorMap) -> Result<StoredNetwork> {
    if !map.layers.is_empty() {
        return ordered::find(map);
    }
    let naming = Naming::of(map)?;
    let mut source = LayerSource::new(map, |name| naming.simplify(name));
    let width = width(&source, &naming);
    let layers = layers_of(width);
    let mut found = BTreeMap::new();
    for (i, layer) in layers.iter().enumerate() {
        let scope = naming.layer(&layers, i);
        let &ConvSpec { c_out, k_h, k_w, c_in, .. } = layer;
        let (shape, axes): (_, &[usize]) = match naming.style.is_torch() {
            true => ([c_out, c_in, k_h, k_w], &[0, 2, 3, 1]),
            false => ([k_h, k_w, c_in, c_out], &[3, 0, 1, 2]),
        };
        let names = naming.conv_names(&scope, layer.bias_only);
        let w = StoredWeights::of(source.leave(&names.weights, &shape)?, axes);
        found.insert(layer.name.clone(), StoredLayer { w, norm: norm(&names.norm, &mut source, c_out)? });
    }
    let names = naming.bottleneck_names();
    let w = outputs_first(&mut source, &naming, &names.weights, width.channels(FEATURES), 512)?;
    let size = w.dims()[0];
    let bottleneck = StoredLayer { norm: norm(&names.norm, &mut source, size)?, w };
    let [weights, biases] = naming.logits_names();
    let logits = if source.has(weights) && source.has(biases) {
        let w = outputs_first(&mut source, &naming, weights, size, 1)?;
        let b = source.take(biases, &w.dims()[..1])?;
        Some((w, b))
    } else {
        None
    };
    source.finish(|name| naming.is_harmless(name, map.format))?;
    Ok(StoredNetwork { network: network(width, size), layers: found, bottleneck, logits })
}

/// The width that the first layer has; the published one where that makes no sense, so that errors name its shapes.
pub(super) fn width(source: &LayerSource<'_>, naming: &Naming) -> Width {
    let layers = layers();
    let names = naming.conv_names(&naming.layer(&layers, 0), false);
    let channels = source.dims(&names.weights).and_then(|dims| match naming.style.is_torch() {
        true => dims.first(),
        false => dims.last(),
    });
    channels.and_then(|&channels| Width::of_stem(channels)).unwrap_or(Width::FULL)
}

/// A dense layer's weights as `[out, in]`; `out` is the file's. Where it is missing or of another rank, the error names
/// `usual`.
fn outputs_first(
    source: &mut LayerSource<'_>,
    naming: &Naming,
    name: &str,
    k: usize,
    usual: usize,
) -> Result<StoredWeights> {
    let (shape, axes): (_, &[usize]) = match (source.dims(name), naming.style.is_torch()) {
        (Some(&[size, _]), true) => ([size, k], &[0, 1]),
        (_, true) => ([usual, k], &[0, 1]),
        (Some(&[_, size]), false) => ([k, size], &[1, 0]),
        (_, false) => ([k, usual], &[1, 0]),
    };
    Ok(StoredWeights::of(source.leave(name, &shape)?, axes))
}

/// What follows a layer of `n` outputs.
fn norm(names: &NormNames, source: &mut LayerSource<'_>, n: usize) -> Result<Norm> {
    let normalized = source.has(&names.beta) || source.has(&names.mean);
    if !normalized && let Some(name) = names.biases.iter().find(|name| source.has(name)) {
        return Ok(Norm::Bias(source.take(name, &[n])?));
    }
    if names.expects_bias
        && let Some(name) = names.biases.first()
    {
        return Ok(Norm::Bias(source.take(name, &[n])?));
    }
    let beta = source.take(&names.beta, &[n])?;
    let mean = source.take(&names.mean, &[n])?;
    let variance = source.take(&names.variance, &[n])?;
    let gamma = match names.gammas.iter().find(|name| source.has(name)) {
        Some(name) => source.take_if_there(name, &[n])?,
        None => None,
    };
    check_variances(&source.map.path, &names.variance, &variance, EPSILON)?;
    Ok(Norm::Batch(BatchNormWeights { bias: None, gamma, beta, mean, variance }))
}
