//! How the publishers name the tensors.

use std::collections::{BTreeMap, BTreeSet};

use super::frozen;
use super::scopes::{deepface_scope, keras_scope, torch_scope, without_deepfaces_slip};
use super::table::{ConvSpec, layers};
use crate::error::{Error, Field, Result, message};
use crate::weights::{Format, TensorMap};

/// Who named the tensors, and what stands before their names.
pub(super) struct Naming {
    pub style: Style,
    /// Ends in the separator, or is empty.
    prefix: String,
    /// Keras's names of layers.
    layers: BTreeSet<String>,
    /// Names in a graph that TensorFlow 2 froze, each with that of the parameter.
    frozen: BTreeMap<String, String>,
}

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// davidsandberg/facenet: `Conv2d_1a_3x3/weights`, usually below `InceptionResnetV1/`.
    TensorFlow,
    /// `facenet_keras.h5`, keras-facenet and deepface: `Conv2d_1a_3x3/kernel`.
    Keras,
    /// facenet-pytorch: `conv2d_1a.conv.weight`.
    Torch,
    /// deepface's PyTorch model: `conv2d_1a_3x3.conv.weight`.
    Deepface,
}

impl Style {
    /// Each style with names of the first and the last layer: a file that lacks one of them is told by the other.
    const ENDS: [(Style, char, [&str; 2]); 4] = [
        (Style::Torch, '.', ["conv2d_1a.conv.weight", "last_linear.weight"]),
        (Style::Deepface, '.', ["conv2d_1a_3x3.conv.weight", "bottleneck_bn.running_mean"]),
        (Style::TensorFlow, '/', ["Conv2d_1a_3x3/weights", "Bottleneck/weights"]),
        (Style::Keras, '/', ["Conv2d_1a_3x3/kernel", "Bottleneck/kernel"]),
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Style::TensorFlow => "davidsandberg/facenet",
            Style::Keras => "Keras's FaceNet",
            Style::Torch => "facenet-pytorch",
            Style::Deepface => "deepface's PyTorch model",
        }
    }

    /// Whether convolutions have outputs and inputs first, as PyTorch's.
    pub fn is_torch(self) -> bool {
        matches!(self, Style::Torch | Style::Deepface)
    }
}

/// The names of one layer's tensors.
pub(super) struct Names {
    pub weights: String,
    pub norm: NormNames,
}

/// What follows a layer's weights: a bias, or a batch norm, whichever the file has.
pub(super) struct NormNames {
    /// Where a bias may be, in order of preference; empty where only batch norm makes sense.
    pub biases: Vec<String>,
    /// Where `gamma` may be.
    pub gammas: Vec<String>,
    pub beta: String,
    pub mean: String,
    pub variance: String,
    /// Without a bias or a batch norm in the file, which of the two is missing.
    pub expects_bias: bool,
}

impl Naming {
    /// facenet-pytorch's, with nothing before it.
    pub fn torch() -> Self {
        Naming::new(Style::Torch, "")
    }

    fn new(style: Style, prefix: &str) -> Self {
        Naming { style, prefix: prefix.to_owned(), layers: BTreeSet::new(), frozen: BTreeMap::new() }
    }

    pub fn of(map: &TensorMap) -> Result<Self> {
        for (style, separator, ends) in Style::ENDS {
            for end in ends {
                let prefixes: BTreeSet<&str> =
                    map.tensors.keys().filter_map(|name| before(name, end, separator)).collect();
                // Keras's layers are found wherever they are nested.
                if style == Style::Keras && !prefixes.is_empty() {
                    return Ok(Naming { layers: keras_layers(), ..Naming::new(style, "") });
                }
                match *prefixes.iter().collect::<Vec<_>>() {
                    [] => {}
                    [&prefix] => return Ok(Naming::new(style, prefix)),
                    [first, second, ..] => {
                        return Err(Error::weights(
                            &map.path,
                            format!(
                                "holds the network {} times, as `{first}{end}` and as `{second}{end}`: which one is meant \
                                 cannot be told; save only that",
                                prefixes.len()
                            ),
                        ));
                    }
                }
            }
        }
        let layers = keras_layers();
        let frozen = frozen::parameters(map.tensors.keys().map(String::as_str), &layers);
        match frozen.is_empty() {
            true => Err(unnamed(map)),
            false => Ok(Naming { layers, frozen, ..Naming::new(Style::Keras, "") }),
        }
    }

    /// A file's name for a tensor, less what differs between writers of the same naming; none for what is no part of the
    /// network, such as an optimizer's.
    pub fn simplify(&self, name: &str) -> Option<String> {
        let name = name.strip_suffix(":0").unwrap_or(name);
        match self.style {
            Style::Keras => self.keras_name(name),
            _ => Some(name.strip_prefix(&self.prefix).unwrap_or(name).to_owned()),
        }
    }

    /// `model_weights/LAYER/…/LAYER/kernel` as `LAYER/kernel`, however deep the layer is nested.
    fn keras_name(&self, name: &str) -> Option<String> {
        if !self.frozen.is_empty() {
            return self.frozen.get(name).cloned();
        }
        let (owner, parameter) = name.rsplit_once('/')?;
        if owner.starts_with("optimizer") {
            return None;
        }
        let layer = without_deepfaces_slip(owner.rsplit('/').next()?);
        self.layers.contains(&layer).then(|| format!("{layer}/{parameter}"))
    }

    /// The scope of layer `i` in this naming.
    pub fn layer(&self, layers: &[ConvSpec], i: usize) -> String {
        match self.style {
            Style::TensorFlow => layers[i].name.clone(),
            Style::Keras => keras_scope(&layers[i].name),
            Style::Torch => torch_scope(layers, i),
            Style::Deepface => deepface_scope(layers, i),
        }
    }

    pub fn conv_names(&self, scope: &str, bias_only: bool) -> Names {
        match self.style {
            Style::TensorFlow => tensorflow_names(scope, bias_only),
            Style::Keras => keras_names(scope, &format!("{scope}_BatchNorm"), bias_only),
            // An up-projection is a bare convolution; the others are a convolution and a batch norm in one module.
            Style::Torch | Style::Deepface if bias_only => torch_names(scope, &format!("{scope}.bn"), true),
            Style::Torch | Style::Deepface => torch_names(&format!("{scope}.conv"), &format!("{scope}.bn"), false),
        }
    }

    pub fn bottleneck_names(&self) -> Names {
        match self.style {
            Style::TensorFlow => tensorflow_names("Bottleneck", false),
            Style::Keras => keras_names("Bottleneck", "Bottleneck_BatchNorm", false),
            Style::Torch => torch_names("last_linear", "last_bn", false),
            Style::Deepface => torch_names("bottleneck", "bottleneck_bn", false),
        }
    }

    /// The classifier's weights and biases.
    pub fn logits_names(&self) -> [&'static str; 2] {
        match self.style {
            Style::TensorFlow => ["Logits/weights", "Logits/biases"],
            Style::Keras => ["Logits/kernel", "Logits/bias"],
            Style::Torch | Style::Deepface => ["logits.weight", "logits.bias"],
        }
    }

    /// Whether a tensor that was not asked for may be there: what is no part of the network, such as its heads, its
    /// centers and the training's state. Parts that the network does not have make it another one.
    pub fn is_harmless(&self, name: &str, format: Format) -> bool {
        let Some(inner) = name.strip_prefix(&self.prefix) else { return true };
        let first = inner.split(['/', '.']).next().unwrap_or_default();
        let begins = |parts: &[&str]| parts.iter().any(|part| first.starts_with(part));
        match self.style {
            // A graph's other constants are shapes and factors, of which only the model's own kinds could be meant for it.
            Style::TensorFlow if format == Format::FrozenGraph => {
                !["weights", "biases", "beta", "gamma", "moving_mean", "moving_variance", "Conv2D_bn_offset"]
                    .contains(&inner.rsplit('/').next().unwrap_or_default())
                    || first == "Logits"
            }
            Style::TensorFlow => !begins(&["Conv2d_", "Repeat", "Mixed_", "Block", "Bottleneck"]),
            Style::Keras => self.simplify(name).is_none_or(|name| name.starts_with("Logits/")),
            Style::Torch => !begins(&["conv2d_", "repeat_", "mixed_", "block", "last_"]) || is_counter(inner),
            Style::Deepface => !begins(&["conv2d_", "mixed_", "block", "bottleneck"]) || is_counter(inner),
        }
    }
}

/// How many batches a norm has seen.
fn is_counter(name: &str) -> bool {
    name.ends_with(".num_batches_tracked")
}

/// What stands before `end` in a tensor's name, if that is whole parts of it.
fn before<'a>(name: &'a str, end: &str, separator: char) -> Option<&'a str> {
    let prefix = name.strip_suffix(":0").unwrap_or(name).strip_suffix(end)?;
    ((prefix.is_empty() || prefix.ends_with(separator)) && !prefix.contains("Branch_")).then_some(prefix)
}

/// Every name of a layer with weights that the Keras models have.
fn keras_layers() -> BTreeSet<String> {
    let convs = layers().into_iter().map(|layer| keras_scope(&layer.name));
    let named = convs.chain(["Bottleneck".to_owned()]);
    let named = named.flat_map(|layer| [format!("{layer}_BatchNorm"), layer]);
    named.chain(["Logits".to_owned()]).collect()
}

fn unnamed(map: &TensorMap) -> Error {
    Error::weights(
        &map.path,
        message![
            format!(
                "is no Inception-ResNet-v1: none of its {} tensors is named as TensorFlow \
                 (InceptionResnetV1/Conv2d_1a_3x3/weights), Keras (Conv2d_1a_3x3/kernel:0), facenet-pytorch \
                 (conv2d_1a.conv.weight) or deepface (conv2d_1a_3x3.conv.weight) name them; give a FaceNet file by ",
                map.tensors.len()
            ),
            Field("model")
        ],
    )
}

fn tensorflow_names(scope: &str, expects_bias: bool) -> Names {
    let norm = |parameter: &str| format!("{scope}/BatchNorm/{parameter}");
    Names {
        weights: format!("{scope}/weights"),
        norm: NormNames {
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
        norm: NormNames {
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
        norm: NormNames {
            biases: vec![format!("{scope}.bias")],
            gammas: vec![format!("{norm}.weight")],
            beta: format!("{norm}.bias"),
            mean: format!("{norm}.running_mean"),
            variance: format!("{norm}.running_var"),
            expects_bias,
        },
    }
}
