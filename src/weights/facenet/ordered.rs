//! The network of a file that is a graph: its layers are told by their place, and proved by their shapes.

use std::collections::BTreeMap;

use super::EPSILON;
use super::stored::network;
use super::table::{ConvSpec, FEATURES, layers_of};
use crate::error::{Error, Result};
use crate::networks::Width;
use crate::tensor::Tensor;
use crate::weights::layers::LayerSource;
use crate::weights::network::{BatchNormWeights, Norm, StoredLayer, StoredNetwork, StoredWeights, check_variances};
use crate::weights::sequence::{self, Kind, Layer};
use crate::weights::{Format, TensorMap};

/// What a residual's up-projection is multiplied by, by the block's name: 0.17, 0.10, 0.20, and 1 in the last.
fn factor(layer: &ConvSpec) -> f32 {
    match layer.name.as_str() {
        name if name.contains("block35_") => 0.17,
        name if name.contains("block17_") => 0.10,
        name if name.contains("block8_") => 0.20,
        _ => 1.0,
    }
}

/// Finds every layer of the network among the layers of a graph.
///
/// # Errors
/// As [`StoredNetwork::find`].
pub(super) fn find(map: &TensorMap) -> Result<StoredNetwork> {
    let (convs, dense): (Vec<&Layer>, Vec<&Layer>) = map.layers.iter().partition(|layer| layer.kind == Kind::Conv);
    let mut source = LayerSource::new(map, |name| Some(name.to_owned()));
    let axes = filter_axes(map.format);
    let channels = convs.first().and_then(|first| source.dims(&first.weights)?.get(axes[0]).copied());
    let width = channels.and_then(Width::of_stem).unwrap_or(Width::FULL);
    let layers = layers_of(width);
    if convs.len() != layers.len() || !(1..=2).contains(&dense.len()) {
        let problem = format!(
            "is no Inception-ResNet-v1: its graph has {} convolutions and {} dense layers; expected {} and 1, or 2 with \
             a classifier",
            convs.len(),
            dense.len(),
            layers.len()
        );
        return Err(Error::weights(&map.path, problem));
    }
    let mut found = BTreeMap::new();
    for (spec, layer) in layers.iter().zip(convs) {
        let mut shape = [0; 4];
        for (axis, extent) in axes.iter().zip([spec.c_out, spec.k_h, spec.k_w, spec.c_in]) {
            shape[*axis] = extent;
        }
        let w = StoredWeights::of(source.leave(&layer.weights, &shape)?, axes);
        let norm = norm(&mut source, layer, spec.c_out)?;
        found.insert(spec.name.clone(), unscaled(StoredLayer { w, norm }, layer, spec)?);
    }
    let bottleneck = matrix(&mut source, dense[0], width.channels(FEATURES))?;
    let size = bottleneck.w.dims()[0];
    let logits = match dense.get(1) {
        Some(layer) => {
            let StoredLayer { w, norm } = matrix(&mut source, layer, size)?;
            match norm {
                Norm::Bias(b) => Some((w, b)),
                Norm::Batch(_) => None,
            }
        }
        None => None,
    };
    Ok(StoredNetwork { network: network(width, size), layers: found, bottleneck, logits })
}

/// Where a format has outputs, rows, columns and inputs of filters.
fn filter_axes(format: Format) -> &'static [usize] {
    match format {
        Format::Tflite => &[0, 1, 2, 3],
        _ => &[0, 2, 3, 1],
    }
}

/// A dense layer from `k` inputs.
fn matrix(source: &mut LayerSource<'_>, layer: &Layer, k: usize) -> Result<StoredLayer> {
    let dims = source.dims(&layer.weights).unwrap_or_default();
    let outputs = |axis: usize| dims.get(axis).copied().unwrap_or_default();
    let (shape, axes): (_, &[usize]) = match layer.kind {
        Kind::Dense { outputs_first: false } => ([k, outputs(1)], &[1, 0]),
        _ => ([outputs(0), k], &[0, 1]),
    };
    let w = StoredWeights::of(source.leave(&layer.weights, &shape)?, axes);
    let n = w.dims()[0];
    Ok(StoredLayer { norm: norm(source, layer, n)?, w })
}

/// What follows a layer of `n` outputs: a batch norm, else biases, else nothing, which are biases of 0.
fn norm(source: &mut LayerSource<'_>, layer: &Layer, n: usize) -> Result<Norm> {
    let path = &source.map.path;
    let mut vector = |name: &String| -> Result<Tensor> {
        // Constants that are added may have axes of 1 before their own.
        let dims = source.dims(name).unwrap_or_default().to_vec();
        let fits = dims.iter().product::<usize>() == n && dims.iter().filter(|&&extent| extent != 1).count() <= 1;
        let shape = if fits { dims } else { vec![n] };
        Ok(source.take(name, &shape)?.reshape([n]))
    };
    let bias = layer.bias.as_ref().map(&mut vector).transpose()?;
    let (gamma, beta, mut mean, variance) = match &layer.norm {
        None => return Ok(Norm::Bias(bias.unwrap_or_else(|| Tensor::zeros([n])))),
        Some(sequence::Norm::Whole { scale, offset, mean, variance, epsilon }) => {
            let mut variances = vector(variance)?;
            variances.data_mut().iter_mut().for_each(|v| *v = (f64::from(*v) + epsilon - EPSILON) as f32);
            check_variances(path, variance, &variances, EPSILON)?;
            (vector(scale)?, vector(offset)?, vector(mean)?, variances)
        }
        Some(sequence::Norm::Affine { scale, offset }) => {
            let offset = offset.as_ref().map(&mut vector).transpose()?;
            let one = Tensor::new([n], vec![(1.0 - EPSILON) as f32; n]);
            (vector(scale)?, offset.unwrap_or_else(|| Tensor::zeros([n])), Tensor::zeros([n]), one)
        }
    };
    // A bias before the norm is a shift of its mean.
    if let Some(bias) = bias {
        mean.data_mut().iter_mut().zip(bias.data()).for_each(|(mean, bias)| *mean -= bias);
    }
    Ok(Norm::Batch(BatchNormWeights { bias: None, gamma: Some(gamma), beta, mean, variance }))
}

/// An up-projection whose factor the exporter has multiplied into its weights, as the network has it.
fn unscaled(layer: StoredLayer, found: &Layer, spec: &ConvSpec) -> Result<StoredLayer> {
    let expected = factor(spec);
    let given = found.factor.unwrap_or(1.0);
    if (given - expected).abs() <= 1e-6 || !spec.bias_only {
        return Ok(layer);
    }
    let by = given / expected;
    let StoredLayer { w, norm } = layer;
    let norm = match norm {
        Norm::Bias(mut b) => {
            b.data_mut().iter_mut().for_each(|b| *b *= by);
            Norm::Bias(b)
        }
        norm => norm,
    };
    Ok(StoredLayer { w: w.times(by), norm })
}
