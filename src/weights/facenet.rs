//! FaceNet's Inception-ResNet-v1 from whoever published it.
//!
//! Three namings are known, in any file format: TensorFlow's (`InceptionResnetV1/Conv2d_1a_3x3/weights`, checkpoints and
//! frozen graphs of davidsandberg/facenet), Keras's (`Conv2d_1a_3x3/kernel:0`, `facenet_keras.h5`) and facenet-pytorch's
//! (`conv2d_1a.conv.weight`). Batch norm is folded into weights and biases here, in f64, unless the file has it folded:
//!
//! `w' = w · gamma / sqrt(variance + 0.001)`, `b' = beta - mean · gamma / sqrt(variance + 0.001)`.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

use super::layers::{ConvWeights, DenseWeights, Source};
use super::{Format, TensorMap};

/// The batch norm's epsilon, in every published version.
const EPSILON: f64 = 0.001;
/// Channels of the last feature map, which the bottleneck takes averaged.
const FEATURES: usize = 1792;

/// The embedding network's weights, batch norm folded.
#[derive(Clone, Debug, PartialEq)]
pub struct InceptionResnetV1 {
    /// The 132 convolutions by [`LayerSpec::name`].
    pub convs: BTreeMap<String, ConvWeights>,
    /// The last layer, `[embedding_size, 1792]`; no activation, L2 normalization follows.
    pub bottleneck: DenseWeights,
    /// 128 or 512 in what is published.
    pub embedding_size: usize,
}

/// One convolution of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSpec {
    /// TensorFlow's scope below `InceptionResnetV1/`, such as `Repeat/block35_1/Branch_1/Conv2d_0b_3x3`.
    pub name: String,
    /// Output channels.
    pub c_out: usize,
    /// Filter height.
    pub k_h: usize,
    /// Filter width.
    pub k_w: usize,
    /// Input channels.
    pub c_in: usize,
    /// A residual's up-projection, which has a bias and neither batch norm nor ReLU of its own.
    pub bias_only: bool,
}

/// Every convolution in the order of the network, after tf-slim's `inception_resnet_v1.py` in davidsandberg/facenet.
pub fn layers() -> Vec<LayerSpec> {
    let mut table = Table(Vec::new());
    table.branch("", 3, &[("Conv2d_1a_3x3", 32), ("Conv2d_2a_3x3", 32), ("Conv2d_2b_3x3", 64)]);
    // A 3×3/2 max-pool stands between these.
    table.branch("", 64, &[("Conv2d_3b_1x1", 80), ("Conv2d_4a_3x3", 192), ("Conv2d_4b_3x3", 256)]);
    for i in 1..=5 {
        let block = format!("Repeat/block35_{i}/");
        table.branch(&format!("{block}Branch_0/"), 256, &[("Conv2d_1x1", 32)]);
        table.branch(&format!("{block}Branch_1/"), 256, &[("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32)]);
        let third = [("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32), ("Conv2d_0c_3x3", 32)];
        table.branch(&format!("{block}Branch_2/"), 256, &third);
        table.up(&block, 96, 256);
    }
    table.branch("Mixed_6a/Branch_0/", 256, &[("Conv2d_1a_3x3", 384)]);
    let second = [("Conv2d_0a_1x1", 192), ("Conv2d_0b_3x3", 192), ("Conv2d_1a_3x3", 256)];
    table.branch("Mixed_6a/Branch_1/", 256, &second);
    for i in 1..=10 {
        let block = format!("Repeat_1/block17_{i}/");
        table.branch(&format!("{block}Branch_0/"), 896, &[("Conv2d_1x1", 128)]);
        let second = [("Conv2d_0a_1x1", 128), ("Conv2d_0b_1x7", 128), ("Conv2d_0c_7x1", 128)];
        table.branch(&format!("{block}Branch_1/"), 896, &second);
        table.up(&block, 256, 896);
    }
    table.branch("Mixed_7a/Branch_0/", 896, &[("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 384)]);
    table.branch("Mixed_7a/Branch_1/", 896, &[("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 256)]);
    let third = [("Conv2d_0a_1x1", 256), ("Conv2d_0b_3x3", 256), ("Conv2d_1a_3x3", 256)];
    table.branch("Mixed_7a/Branch_2/", 896, &third);
    for i in 1..=6 {
        let block = if i == 6 { "Block8/".to_owned() } else { format!("Repeat_2/block8_{i}/") };
        table.branch(&format!("{block}Branch_0/"), FEATURES, &[("Conv2d_1x1", 192)]);
        let second = [("Conv2d_0a_1x1", 192), ("Conv2d_0b_1x3", 192), ("Conv2d_0c_3x1", 192)];
        table.branch(&format!("{block}Branch_1/"), FEATURES, &second);
        table.up(&block, 384, FEATURES);
    }
    table.0
}

struct Table(Vec<LayerSpec>);

impl Table {
    /// Convolutions one after another; the filter's extents are the end of its name, `…_3x3`.
    fn branch(&mut self, scope: &str, mut c_in: usize, convs: &[(&str, usize)]) {
        for &(conv, c_out) in convs {
            let (k_h, k_w) = match conv.rsplit_once('_').map_or(conv, |(_, extents)| extents) {
                "3x3" => (3, 3),
                "1x7" => (1, 7),
                "7x1" => (7, 1),
                "1x3" => (1, 3),
                "3x1" => (3, 1),
                _ => (1, 1),
            };
            self.0.push(LayerSpec { name: format!("{scope}{conv}"), c_out, k_h, k_w, c_in, bias_only: false });
            c_in = c_out;
        }
    }

    /// A block's last convolution, back to the residual's channels.
    fn up(&mut self, block: &str, c_in: usize, c_out: usize) {
        self.0.push(LayerSpec { name: format!("{block}Conv2d_1x1"), c_out, k_h: 1, k_w: 1, c_in, bias_only: true });
    }
}

/// Inception-ResNet-v1's weights; the embedding's size is the bottleneck's.
///
/// # Errors
/// [`Error::Tensor`] for a missing or misshapen tensor, [`Error::Weights`] for an extra one, for a naming that is none of
/// the three, and for a variance that is not positive.
pub fn inception_resnet_v1(map: &TensorMap) -> Result<InceptionResnetV1> {
    let layers = layers();
    let naming = Naming::of(map)?;
    let mut source = Source::new(map, |name| naming.simplify(name));
    let mut convs = BTreeMap::new();
    for (i, layer) in layers.iter().enumerate() {
        let scope = naming.layer(&layers, i);
        let &LayerSpec { c_out, k_h, k_w, c_in, .. } = layer;
        let (shape, axes) = match naming {
            Naming::Torch => ([c_out, c_in, k_h, k_w], [0, 2, 3, 1]),
            _ => ([k_h, k_w, c_in, c_out], [3, 0, 1, 2]),
        };
        let names = naming.conv_names(&scope, layer.bias_only);
        let w = source.take(&names.weights, &shape)?.permute(&axes);
        let (w, b) = names.norm.read(&mut source, w, c_out)?;
        convs.insert(layer.name.clone(), ConvWeights { w, b, alpha: None });
    }
    let names = naming.bottleneck_names();
    let (embedding_size, w) = bottleneck(&mut source, &naming, &names.weights)?;
    let (w, b) = names.norm.read(&mut source, w, embedding_size)?;
    source.finish(|name| naming.is_harmless(name, map.format))?;
    Ok(InceptionResnetV1 { convs, bottleneck: DenseWeights { w, b, alpha: None }, embedding_size })
}

/// The bottleneck's width and its weights as `[out, in]`.
fn bottleneck(source: &mut Source<'_>, naming: &Naming, name: &str) -> Result<(usize, Tensor)> {
    // Where it is missing or of another rank, the error names the usual shape.
    let size = match (source.dims(name), naming) {
        (Some(&[size, _]), Naming::Torch) | (Some(&[_, size]), Naming::TensorFlow(_) | Naming::Keras) => size,
        _ => 512,
    };
    match naming {
        Naming::Torch => Ok((size, source.take(name, &[size, FEATURES])?.clone())),
        _ => Ok((size, source.take(name, &[FEATURES, size])?.permute(&[1, 0]))),
    }
}

/// Who named the tensors.
enum Naming {
    /// With what stands before the layers' names, usually `InceptionResnetV1/`.
    TensorFlow(String),
    Keras,
    Torch,
}

/// The names of one layer's tensors.
struct Names {
    weights: String,
    norm: Norm,
}

/// What follows a layer's weights: a bias, or a batch norm, whichever the file has.
struct Norm {
    /// Where a bias may be, in order of preference; empty where only batch norm makes sense.
    biases: Vec<String>,
    /// Where `gamma` may be.
    gammas: Vec<String>,
    beta: String,
    mean: String,
    variance: String,
    /// Without a bias or a batch norm in the file, which of the two is missing.
    expects_bias: bool,
}

impl Norm {
    /// `w` (outputs first) and its bias, batch norm folded in.
    fn read(&self, source: &mut Source<'_>, w: Tensor, n: usize) -> Result<(Tensor, Tensor)> {
        let normalized = source.has(&self.beta) || source.has(&self.mean);
        if !normalized && let Some(name) = self.biases.iter().find(|name| source.has(name)) {
            return Ok((w, source.take(name, &[n])?.clone()));
        }
        if self.expects_bias
            && let Some(name) = self.biases.first()
        {
            return Ok((w, source.take(name, &[n])?.clone()));
        }
        let beta = source.take(&self.beta, &[n])?;
        let mean = source.take(&self.mean, &[n])?;
        let variance = source.take(&self.variance, &[n])?;
        let gamma = match self.gammas.iter().find(|name| source.has(name)) {
            Some(name) => source.take_if_there(name, &[n])?,
            None => None,
        };
        let path = &source.map.path;
        let scales = variance
            .data()
            .iter()
            .enumerate()
            .map(|(i, &variance)| {
                let gamma = gamma.and_then(|gamma| gamma.data().get(i)).map_or(1.0, |&gamma| f64::from(gamma));
                let scale = gamma / (f64::from(variance) + EPSILON).sqrt();
                scale.is_finite().then_some(scale).ok_or_else(|| {
                    let problem =
                        format!("tensor `{}`: {variance} at {i} is no variance; fetch it again", self.variance);
                    Error::weights(path, problem)
                })
            })
            .collect::<Result<Vec<f64>>>()?;
        let b = beta.data().iter().zip(mean.data()).zip(&scales);
        let b = b.map(|((&beta, &mean), scale)| (f64::from(beta) - f64::from(mean) * scale) as f32).collect();
        Ok((scaled(w, &scales), Tensor::new([n], b)))
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

impl Naming {
    fn of(map: &TensorMap) -> Result<Self> {
        let names = || map.tensors.keys().map(|name| name.strip_suffix(":0").unwrap_or(name));
        // Either end of the network tells, so that a file which lacks the other is told what it lacks.
        if names().any(|name| name.ends_with("conv2d_1a.conv.weight") || name.ends_with("last_linear.weight")) {
            return Ok(Naming::Torch);
        }
        let prefix = |suffix: &str| {
            names().filter_map(|name| name.strip_suffix(suffix)).find(|prefix| !prefix.contains("Branch_"))
        };
        if let Some(prefix) = prefix("Conv2d_1a_3x3/weights").or_else(|| prefix("Bottleneck/weights")) {
            return Ok(Naming::TensorFlow(prefix.to_owned()));
        }
        if names().any(|name| name.ends_with("Conv2d_1a_3x3/kernel") || name.ends_with("Bottleneck/kernel")) {
            return Ok(Naming::Keras);
        }
        Err(Error::weights(
            &map.path,
            format!(
                "is no Inception-ResNet-v1: none of its {} tensors is named as TensorFlow \
                 (InceptionResnetV1/Conv2d_1a_3x3/weights), Keras (Conv2d_1a_3x3/kernel:0) or facenet-pytorch \
                 (conv2d_1a.conv.weight) name them; give a FaceNet file by --model",
                map.tensors.len()
            ),
        ))
    }

    /// A file's name for a tensor, less what differs between writers of the same naming.
    fn simplify(&self, name: &str) -> String {
        match self {
            Naming::TensorFlow(prefix) => {
                let name = name.strip_suffix(":0").unwrap_or(name);
                name.strip_prefix(prefix.as_str()).unwrap_or(name).to_owned()
            }
            // `model_weights/LAYER/…/LAYER/kernel:0` by Keras 2, and without `:0` by Keras 3.
            Naming::Keras => {
                let name = name.strip_suffix(":0").unwrap_or(name);
                let name = name.strip_prefix("model_weights/").unwrap_or(name);
                match (name.split_once('/'), name.rsplit_once('/')) {
                    (Some((layer, _)), Some((_, parameter))) => format!("{layer}/{parameter}"),
                    _ => name.to_owned(),
                }
            }
            // `module.` is what DataParallel adds.
            Naming::Torch => name.strip_prefix("module.").unwrap_or(name).to_owned(),
        }
    }

    /// The scope of layer `i` in this naming.
    fn layer(&self, layers: &[LayerSpec], i: usize) -> String {
        match self {
            Naming::TensorFlow(_) => layers[i].name.clone(),
            Naming::Keras => keras_scope(&layers[i].name),
            Naming::Torch => torch_scope(layers, i),
        }
    }

    fn conv_names(&self, scope: &str, bias_only: bool) -> Names {
        match self {
            Naming::TensorFlow(_) => tensorflow_names(scope, bias_only),
            Naming::Keras => keras_names(scope, &format!("{scope}_BatchNorm"), bias_only),
            // An up-projection is a bare convolution; the others are a convolution and a batch norm in one module.
            Naming::Torch if bias_only => torch_names(scope, &format!("{scope}.bn"), true),
            Naming::Torch => torch_names(&format!("{scope}.conv"), &format!("{scope}.bn"), false),
        }
    }

    fn bottleneck_names(&self) -> Names {
        match self {
            Naming::TensorFlow(_) => tensorflow_names("Bottleneck", false),
            Naming::Keras => keras_names("Bottleneck", "Bottleneck_BatchNorm", false),
            Naming::Torch => torch_names("last_linear", "last_bn", false),
        }
    }

    /// What a file of the model has beside it: the classifier it was trained with, and the training's state.
    fn is_harmless(&self, name: &str, format: Format) -> bool {
        let name = self.simplify(name);
        match self {
            // A graph's other constants are shapes and factors, of which only the model's own kinds could be meant for it.
            Naming::TensorFlow(_) if format == Format::FrozenGraph => {
                !["weights", "biases", "beta", "gamma", "moving_mean", "moving_variance", "Conv2D_bn_offset"]
                    .contains(&name.rsplit('/').next().unwrap_or_default())
                    || name.starts_with("Logits/")
            }
            Naming::TensorFlow(_) => name.starts_with("Logits/") || name == "centers",
            Naming::Keras => name.starts_with("Logits") || name.starts_with("optimizer_weights/"),
            Naming::Torch => name.starts_with("logits.") || name.ends_with(".num_batches_tracked"),
        }
    }
}

fn tensorflow_names(scope: &str, expects_bias: bool) -> Names {
    let norm = |parameter: &str| format!("{scope}/BatchNorm/{parameter}");
    Names {
        weights: format!("{scope}/weights"),
        norm: Norm {
            // Grappler's constant folding leaves the offset of the batch norm that it folded.
            biases: vec![format!("{scope}/biases"), format!("{scope}/Conv2D_bn_offset")],
            // Without a trained gamma the frozen graph passes a constant.
            gammas: vec![norm("gamma"), norm("Const")],
            beta: norm("beta"),
            mean: norm("moving_mean"),
            variance: norm("moving_variance"),
            expects_bias,
        },
    }
}

fn keras_names(scope: &str, norm: &str, expects_bias: bool) -> Names {
    Names {
        weights: format!("{scope}/kernel"),
        norm: Norm {
            biases: vec![format!("{scope}/bias")],
            gammas: vec![format!("{norm}/gamma")],
            beta: format!("{norm}/beta"),
            mean: format!("{norm}/moving_mean"),
            variance: format!("{norm}/moving_variance"),
            expects_bias,
        },
    }
}

fn torch_names(scope: &str, norm: &str, expects_bias: bool) -> Names {
    Names {
        weights: format!("{scope}.weight"),
        norm: Norm {
            biases: vec![format!("{scope}.bias")],
            gammas: vec![format!("{norm}.weight")],
            beta: format!("{norm}.bias"),
            mean: format!("{norm}.running_mean"),
            variance: format!("{norm}.running_var"),
            expects_bias,
        },
    }
}

/// `Repeat/block35_1/Branch_0/Conv2d_1x1` as `Block35_1_Branch_0_Conv2d_1x1`; the final block is the sixth Block8.
fn keras_scope(name: &str) -> String {
    let name = match name.strip_prefix("Block8/") {
        Some(rest) => format!("Block8_6/{rest}"),
        None => match name.split_once("/block") {
            Some((_, rest)) => format!("Block{rest}"),
            None => name.to_owned(),
        },
    };
    name.replace('/', "_")
}

/// `Repeat/block35_1/Branch_1/Conv2d_0b_3x3` as `repeat_1.0.branch1.1`: modules are numbered from zero, and a branch of
/// one convolution has no number.
fn torch_scope(layers: &[LayerSpec], i: usize) -> String {
    let name = &layers[i].name;
    let Some((scope, conv)) = name.rsplit_once('/') else {
        // The stem: `Conv2d_1a_3x3` as `conv2d_1a`.
        return name.rsplit_once('_').map_or(name.as_str(), |(stem, _)| stem).to_lowercase();
    };
    let block = |scope: &str| {
        let numbered =
            [("Repeat/block35_", "repeat_1"), ("Repeat_1/block17_", "repeat_2"), ("Repeat_2/block8_", "repeat_3")];
        let module = numbered.iter().find_map(|(tensorflow, torch)| {
            let number: usize = scope.strip_prefix(tensorflow)?.parse().ok()?;
            Some(format!("{torch}.{}", number.checked_sub(1)?))
        });
        module.unwrap_or_else(|| scope.to_lowercase())
    };
    let Some((outer, branch)) = scope.rsplit_once("/Branch_") else {
        return format!("{}.{}", block(scope), conv.rsplit_once('_').map_or(conv, |(conv, _)| conv).to_lowercase());
    };
    let siblings = || {
        layers
            .iter()
            .enumerate()
            .filter(|(_, layer)| layer.name.rsplit_once('/').is_some_and(|(other, _)| other == scope))
    };
    let position = siblings().position(|(j, _)| j == i).unwrap_or_default();
    match siblings().count() {
        1 => format!("{}.branch{branch}", block(outer)),
        _ => format!("{}.branch{branch}.{position}", block(outer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_networks() {
        let layers = layers();
        assert_eq!(layers.len(), 132);
        assert_eq!(layers.iter().filter(|layer| layer.bias_only).count(), 21);
        let weights: usize = layers.iter().map(|l| l.c_out * l.k_h * l.k_w * l.c_in).sum();
        assert_eq!(weights, 22_514_528);
    }

    #[test]
    fn scopes_in_the_other_namings() {
        let layers = layers();
        let find = |name: &str| layers.iter().position(|layer| layer.name == name).unwrap();
        for (name, keras, torch) in [
            ("Conv2d_4b_3x3", "Conv2d_4b_3x3", "conv2d_4b"),
            ("Repeat/block35_1/Branch_0/Conv2d_1x1", "Block35_1_Branch_0_Conv2d_1x1", "repeat_1.0.branch0"),
            ("Repeat_1/block17_10/Branch_1/Conv2d_0c_7x1", "Block17_10_Branch_1_Conv2d_0c_7x1", "repeat_2.9.branch1.2"),
            ("Repeat_2/block8_5/Conv2d_1x1", "Block8_5_Conv2d_1x1", "repeat_3.4.conv2d"),
            ("Mixed_6a/Branch_0/Conv2d_1a_3x3", "Mixed_6a_Branch_0_Conv2d_1a_3x3", "mixed_6a.branch0"),
            ("Mixed_7a/Branch_2/Conv2d_1a_3x3", "Mixed_7a_Branch_2_Conv2d_1a_3x3", "mixed_7a.branch2.2"),
            ("Block8/Conv2d_1x1", "Block8_6_Conv2d_1x1", "block8.conv2d"),
        ] {
            assert_eq!(keras_scope(name), keras);
            assert_eq!(torch_scope(&layers, find(name)), torch);
        }
    }
}
