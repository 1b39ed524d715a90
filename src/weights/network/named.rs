//! Networks whose files name layers as the definition does: by TensorFlow's scopes, by Keras's layers, or by modules.

use std::collections::BTreeMap;

use super::{BatchNormWeights, Norm, StoredLayer, StoredNetwork, StoredWeights, check_variances, deepface, openface};
use crate::error::{Error, Result};
use crate::networks::{LayerSpec, ModelDef, NetworkSpec, Width};
use crate::tensor::Tensor;
use crate::weights::layers::LayerSource;
use crate::weights::{Format, TensorMap};

/// Which network a file says it is, or its names do.
pub(super) fn definition(map: &TensorMap) -> Option<ModelDef> {
    map.facts.model_def.or_else(|| ModelDef::ALL.into_iter().find(|&def| Naming::of(map, def).is_some()))
}

/// How a file names the layers of a network.
pub(super) struct Naming {
    def: ModelDef,
    style: Style,
    /// What stands before all names; ends in a separator, or is empty.
    prefix: String,
    /// Torch's modules of a layer and of its batch norm.
    modules: BTreeMap<String, [String; 2]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `squeezenet/fire2/squeeze/weights`.
    TensorFlow,
    /// The same in ONNX: outputs first, and inputs before taps.
    Onnx,
    /// `C1/kernel`, however deep the layer is nested.
    Keras,
    /// `conv1_w`, a file each.
    Csv,
    /// `model/modules/1/weight`.
    Torch,
    /// The package deepface's, for PyTorch: `L4.weight`.
    Deepface,
}

/// The names of one layer's tensors.
pub(super) struct Names {
    pub weights: String,
    pub bias: String,
    /// Scale, offset, mean and variance of a batch norm.
    pub norm: [String; 4],
}

impl Names {
    fn all(&self) -> impl Iterator<Item = &String> {
        [&self.weights, &self.bias].into_iter().chain(&self.norm)
    }
}

/// A tensor's name without the number of an op's output.
fn plain(name: &str) -> &str {
    name.strip_suffix(":0").unwrap_or(name)
}

impl Naming {
    /// The naming by which a file has layers of this network.
    pub fn of(map: &TensorMap, def: ModelDef) -> Option<Self> {
        let tensorflow = map.tensors.keys().find_map(|name| {
            let name = plain(name);
            let at = name.find(def.scope()).filter(|&at| at == 0 || name[..at].ends_with('/'))?;
            name.ends_with("/weights").then(|| name[..at + def.scope().len()].to_owned())
        });
        let modules = BTreeMap::new();
        if let Some(prefix) = tensorflow {
            let style = if map.format == Format::Onnx { Style::Onnx } else { Style::TensorFlow };
            return Some(Naming { def, style, prefix, modules });
        }
        let named = |layer: &str| map.tensors.keys().any(|name| keras_name(plain(name)) == Some((layer, "kernel")));
        let told_by: &[&str] = match def {
            ModelDef::DeepFace => &["L4", "L5", "F7"],
            ModelDef::Nn4Small2 => &["conv1", "inception_3a_3x3_conv1", "inception_5b_pool_conv"],
            _ => &[],
        };
        let styled = |style| Some(Naming { def, style, prefix: String::new(), modules: BTreeMap::new() });
        match def {
            _ if told_by.iter().filter(|layer| named(layer)).count() > 1 => styled(Style::Keras),
            ModelDef::Nn4Small2 if openface::is_csv(map) => styled(Style::Csv),
            ModelDef::Nn4Small2Torch => {
                let modules = openface::torch_modules(map)?;
                Some(Naming { modules, ..styled(Style::Torch)? })
            }
            _ => Some(Naming { prefix: deepface::prefix(map, def)?, ..styled(Style::Deepface)? }),
        }
    }

    /// For people.
    pub fn name(&self) -> &'static str {
        match self.style {
            Style::TensorFlow | Style::Onnx => "TensorFlow",
            Style::Keras => "Keras",
            Style::Csv => "Keras-OpenFace's CSV files",
            Style::Torch => "Torch7",
            Style::Deepface => "deepface for PyTorch",
        }
    }

    /// A file's name for a tensor, less what differs between writers; none for what is no part of the network.
    pub fn simplify(&self, name: &str) -> Option<String> {
        let name = plain(name);
        match self.style {
            Style::TensorFlow | Style::Onnx | Style::Deepface => {
                Some(name.strip_prefix(&self.prefix).unwrap_or(name).to_owned())
            }
            Style::Keras if name.starts_with("optimizer") => None,
            Style::Keras => keras_name(name).map(|(layer, parameter)| format!("{layer}/{parameter}")),
            Style::Csv | Style::Torch => Some(name.to_owned()),
        }
    }

    /// A layer's names.
    pub fn names(&self, layer: &str) -> Names {
        match self.style {
            Style::TensorFlow | Style::Onnx => {
                let norm = ["gamma", "beta", "moving_mean", "moving_variance"];
                let norm = norm.map(|parameter| format!("{layer}/BatchNorm/{parameter}"));
                Names { weights: format!("{layer}/weights"), bias: format!("{layer}/biases"), norm }
            }
            Style::Keras => {
                let norm = ["gamma", "beta", "moving_mean", "moving_variance"];
                let owner =
                    if self.def.is_openface() { openface::norm_of(layer) } else { format!("{layer}_BatchNorm") };
                let norm = norm.map(|parameter| format!("{owner}/{parameter}"));
                Names { weights: format!("{layer}/kernel"), bias: format!("{layer}/bias"), norm }
            }
            Style::Csv => openface::csv_names(layer),
            Style::Torch => openface::torch_names(self.modules.get(layer).unwrap_or(&Default::default())),
            Style::Deepface => deepface::names(self.def, layer),
        }
    }

    /// The classifier's weights and biases.
    pub fn logits(&self) -> [&'static str; 2] {
        match self.style {
            Style::TensorFlow | Style::Onnx => ["Logits/weights", "Logits/biases"],
            Style::Keras => ["F8/kernel", "F8/bias"],
            Style::Csv | Style::Torch => ["logits_w", "logits_b"],
            Style::Deepface => ["F8.weight", "F8.bias"],
        }
    }

    /// Extents of a layer's weights in the file, where it may have several, and where its axes are when they stand as the
    /// definition has them.
    fn layout(
        &self,
        source: &LayerSource<'_>,
        layer: &LayerSpec,
    ) -> (Vec<usize>, Option<Vec<usize>>, &'static [usize]) {
        if matches!(self.style, Style::Csv | Style::Torch) {
            return openface::layout(layer, source.dims(&self.names(&layer.name).weights));
        }
        if self.style == Style::Deepface {
            return deepface::layout(source, layer);
        }
        match *layer.w.as_slice() {
            [c_out, k_h, k_w, c_in] if self.style == Style::Onnx => (vec![c_out, c_in, k_h, k_w], None, &[0, 2, 3, 1]),
            [c_out, k_h, k_w, c_in] => (vec![k_h, k_w, c_in, c_out], None, &[3, 0, 1, 2]),
            // Keras's `LocallyConnected2D`: positions, taps, outputs.
            [h, w, c_out, k_h, k_w, c_in] if matches!(self.style, Style::Keras | Style::Onnx) => {
                (vec![h * w, k_h * k_w * c_in, c_out], Some(vec![h, w, k_h, k_w, c_in, c_out]), &[0, 1, 5, 2, 3, 4])
            }
            [out, k] if self.style == Style::Onnx => (vec![out, k], None, &[0, 1]),
            [out, k] => (vec![k, out], None, &[1, 0]),
            _ => (layer.w.clone(), None, &[0, 1, 2, 3, 4, 5]),
        }
    }

    /// A layer's bias.
    fn bias(&self, source: &mut LayerSource<'_>, name: &str, layer: &LayerSpec) -> Result<Tensor> {
        match *layer.bias() {
            [h, w, c_out] if self.style == Style::Deepface => {
                Ok(source.take(name, &[c_out, h, w])?.permute(&[1, 2, 0]))
            }
            _ => source.take(name, layer.bias()),
        }
    }

    /// Whether a tensor that was not asked for may be there: heads, centers, the training's state. Parts of the network
    /// that the definition does not have make it another one.
    pub fn is_harmless(&self, layers: &[LayerSpec], name: &str, format: Format) -> bool {
        let first = |name: &str| name.split(['/', '.']).next().unwrap_or_default().to_owned();
        let Some(inner) = name.strip_prefix(&self.prefix).and_then(|_| self.simplify(name)) else { return true };
        // A graph's other constants are shapes and factors.
        let parameters = ["weights", "biases", "kernel", "bias", "beta", "gamma", "moving_mean", "moving_variance"];
        if format == Format::FrozenGraph && !parameters.contains(&inner.rsplit('/').next().unwrap_or_default()) {
            return true;
        }
        !layers.iter().any(|layer| first(&layer.name) == first(&inner))
    }

    /// Which network it is, by the extents that the file has; where those make no sense the published ones, so that errors
    /// name its shapes.
    pub fn network(&self, source: &LayerSource<'_>, map: &TensorMap) -> Result<NetworkSpec> {
        let published = NetworkSpec::new(self.def);
        let outputs = |layer: &str| {
            let names = self.names(layer);
            // Where outputs are not the last axis, they are the bias's only one.
            let last =
                if matches!(self.style, Style::TensorFlow | Style::Keras) { &names.weights } else { &names.bias };
            source.dims(last).and_then(|dims| dims.last().copied())
        };
        let layers = published.layers()?;
        let width = outputs(&layers[0].name).and_then(|channels| Width::of_channels(channels, self.def.stem()));
        let network = published.width(width.unwrap_or(Width::FULL));
        let size = outputs(self.def.last_layer()).unwrap_or(network.embedding_size);
        let network = network.embedding_size(size).side(map.facts.image_size.unwrap_or(self.def.crop()));
        if !self.def.has_fixed_crop() || self.fits(source, &network) {
            return Ok(network);
        }
        // Two sides in turn give the same extents: the larger one pads nothing.
        let sides = self.def.smallest_crop()..=4 * self.def.crop();
        let found = sides.rev().map(|side| network.side(side)).find(|network| self.fits(source, network));
        Ok(found.unwrap_or(network.side(self.def.crop())))
    }

    /// Whether the file's weights have the extents that a network wants.
    fn fits(&self, source: &LayerSource<'_>, network: &NetworkSpec) -> bool {
        let fits = |layer: &LayerSpec| {
            source.dims(&self.names(&layer.name).weights) == Some(&self.layout(source, layer).0[..])
        };
        network.layers().is_ok_and(|layers| layers.iter().all(fits))
    }

    /// What a layer lacks in a file, and what of the file it takes.
    pub fn lacking(&self, source: &LayerSource<'_>, layer: &LayerSpec) -> (Vec<String>, Vec<String>) {
        let names = self.names(&layer.name);
        let [_, beta, mean, variance] = &names.norm;
        let mut wanted = vec![&names.weights];
        match layer.follows.has_norm() && (source.has(beta) || !source.has(&names.bias)) {
            true => wanted.extend([beta, mean, variance]),
            false => wanted.push(&names.bias),
        }
        let missing = wanted.into_iter().filter(|name| !source.has(name)).cloned();
        (missing.collect(), names.all().cloned().collect())
    }
}

/// The layer and the parameter that a Keras file's name ends with.
fn keras_name(name: &str) -> Option<(&str, &str)> {
    let (owner, parameter) = name.rsplit_once('/')?;
    Some((owner.rsplit('/').next()?, parameter))
}

/// Finds every layer of a network in a file.
///
/// # Errors
/// As [`super::unfolded()`], but for filters that are not finite.
pub(super) fn find(map: &TensorMap, def: ModelDef) -> Result<StoredNetwork> {
    let naming = Naming::of(map, def).ok_or_else(|| {
        let problem = format!("says that it is of {def}, and has none of its layers; is it whole?");
        Error::weights(&map.path, problem)
    })?;
    let mut source = LayerSource::new(map, |name| naming.simplify(name));
    let network = naming.network(&source, map)?;
    let specs = network.layers()?;
    let mut layers = BTreeMap::new();
    for spec in &specs {
        layers.insert(spec.name.clone(), layer(&naming, &mut source, spec)?);
    }
    let lacks = || Error::weights(&map.path, "has no last layer");
    let bottleneck = layers.remove(def.last_layer()).ok_or_else(lacks)?;
    let [weights, biases] = naming.logits();
    let logits = match source.dims(weights) {
        Some(&[k, classes]) if k == network.embedding_size && source.has(biases) => {
            let w = StoredWeights::of(source.leave(weights, &[k, classes])?, &[1, 0]);
            Some((w, source.take(biases, &[classes])?))
        }
        _ => None,
    };
    source.finish(|name| naming.is_harmless(&specs, name, map.format) || naming.logits().contains(&plain(name)))?;
    Ok(StoredNetwork { network, layers, bottleneck, logits })
}

/// One layer, with a batch norm or what is left of one that was folded.
fn layer(naming: &Naming, source: &mut LayerSource<'_>, spec: &LayerSpec) -> Result<StoredLayer> {
    let Names { weights, bias, norm: [gamma, beta, mean, variance] } = naming.names(&spec.name);
    let (extents, split, axes) = naming.layout(source, spec);
    let mut w = StoredWeights::of(source.leave(&weights, &extents)?, axes);
    if let Some(split) = split {
        w = w.split(split);
    }
    let w = w.shaped(spec.w.clone());
    let folded = source.has(&bias) && !source.has(&beta) && !source.has(&mean);
    if folded || !spec.follows.has_norm() {
        return Ok(StoredLayer { w, norm: Norm::Bias(naming.bias(source, &bias, spec)?) });
    }
    let n = spec.bias();
    let norm = BatchNormWeights {
        bias: source.take_if_there(&bias, n)?.filter(|_| spec.follows.has_bias()),
        gamma: source.take_if_there(&gamma, n)?,
        beta: source.take(&beta, n)?,
        mean: source.take(&mean, n)?,
        variance: source.take(&variance, n)?,
    };
    check_variances(&source.map.path, &variance, &norm.variance, naming.def.epsilon())?;
    Ok(StoredLayer { w, norm: Norm::Batch(norm) })
}
