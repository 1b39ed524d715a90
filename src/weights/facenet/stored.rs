//! The network's weights where they lie in a file: small ones are read, filters when they are wanted.

use std::collections::BTreeMap;
use std::path::Path;

use super::naming::{Naming, NormNames};
use super::unfolded::scaled;
use super::{BatchNormWeights, EPSILON, LayerSpec, Norm, Width, layers_of};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::weights::TensorMap;
use crate::weights::layers::{LayerSource, Unread};

/// The embedding network of a file: that it is whole, and of the right shapes, is known.
pub(crate) struct StoredNetwork {
    pub width: Width,
    /// By [`LayerSpec::name`].
    pub convs: BTreeMap<String, StoredLayer>,
    pub bottleneck: StoredLayer,
    /// The classifier's weights and biases.
    pub logits: Option<(StoredWeights, Tensor)>,
}

/// A layer's weights, and what follows.
pub(crate) struct StoredLayer {
    pub w: StoredWeights,
    pub norm: Norm,
}

impl StoredLayer {
    /// The layer's biases, and what reads its weights; both with the batch norm folded in.
    pub fn fold(self) -> (impl Fn() -> Result<Tensor> + Send + Sync + 'static, Vec<usize>, Tensor) {
        let dims = self.w.dims();
        let (b, scales) = self.norm.fold();
        let w = self.w;
        (move || Ok(scaled(w.read()?, scales.as_deref())), dims, b)
    }
}

/// Weights in a file whose axes stand in another order.
pub(crate) struct StoredWeights {
    unread: Unread,
    axes: &'static [usize],
    /// What they are multiplied by.
    factor: f32,
}

impl StoredWeights {
    /// Weights whose axes stand so: outputs, rows, columns, inputs.
    pub(super) fn of(unread: Unread, axes: &'static [usize]) -> Self {
        StoredWeights { unread, axes, factor: 1.0 }
    }

    /// The same, multiplied.
    pub fn times(self, factor: f32) -> Self {
        StoredWeights { factor: self.factor * factor, ..self }
    }

    /// Their extents, outputs first.
    pub fn dims(&self) -> Vec<usize> {
        self.axes.iter().map(|&axis| self.unread.dims()[axis]).collect()
    }

    /// Their values, outputs first.
    pub fn read(&self) -> Result<Tensor> {
        let mut tensor = self.unread.read()?;
        if self.factor != 1.0 {
            tensor.data_mut().iter_mut().for_each(|w| *w *= self.factor);
        }
        Ok(match self.axes.is_sorted() {
            true => tensor,
            false => tensor.permute(self.axes),
        })
    }
}

impl StoredNetwork {
    /// Finds every layer in a file.
    ///
    /// # Errors
    /// As [`super::unfolded()`], but for filters that are not finite.
    pub fn find(map: &TensorMap) -> Result<Self> {
        if !map.layers.is_empty() {
            return super::ordered::find(map);
        }
        let naming = Naming::of(map)?;
        let mut source = LayerSource::new(map, |name| naming.simplify(name));
        let width = width(&source, &naming);
        let layers = layers_of(width);
        let mut convs = BTreeMap::new();
        for (i, layer) in layers.iter().enumerate() {
            let scope = naming.layer(&layers, i);
            let &LayerSpec { c_out, k_h, k_w, c_in, .. } = layer;
            let (shape, axes): (_, &[usize]) = match naming.style.is_torch() {
                true => ([c_out, c_in, k_h, k_w], &[0, 2, 3, 1]),
                false => ([k_h, k_w, c_in, c_out], &[3, 0, 1, 2]),
            };
            let names = naming.conv_names(&scope, layer.bias_only);
            let w = StoredWeights::of(source.leave(&names.weights, &shape)?, axes);
            convs.insert(layer.name.clone(), StoredLayer { w, norm: norm(&names.norm, &mut source, c_out)? });
        }
        let names = naming.bottleneck_names();
        let w = outputs_first(&mut source, &naming, &names.weights, width.features(), 512)?;
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
        Ok(StoredNetwork { width, convs, bottleneck, logits })
    }
}

/// The width that the first layer has; the published one where that makes no sense, so that errors name its shapes.
pub(super) fn width(source: &LayerSource<'_>, naming: &Naming) -> Width {
    let layers = super::layers();
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
    check_variances(&source.map.path, &names.variance, &variance)?;
    Ok(Norm::Batch(BatchNormWeights { gamma, beta, mean, variance }))
}

/// Refuses variances whose root cannot be divided by.
pub(super) fn check_variances(path: &Path, name: &str, variances: &Tensor) -> Result<()> {
    let bad = |&(_, &variance): &(usize, &f32)| f64::from(variance) + EPSILON <= 0.0;
    let Some((i, variance)) = variances.data().iter().enumerate().find(bad) else { return Ok(()) };
    Err(Error::weights(path, format!("tensor `{name}`: {variance} at {i} is no variance; fetch it again")))
}
