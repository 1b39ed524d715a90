//! How the three publishers name the tensors.

use super::table::LayerSpec;
use crate::error::{Error, Field, Result, message};
use crate::weights::{Format, TensorMap};

/// Who named the tensors.
pub(super) enum Naming {
    /// With what stands before the layers' names, usually `InceptionResnetV1/`.
    TensorFlow(String),
    Keras,
    Torch,
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
    pub fn of(map: &TensorMap) -> Result<Self> {
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
            message![
                format!(
                    "is no Inception-ResNet-v1: none of its {} tensors is named as TensorFlow \
                 (InceptionResnetV1/Conv2d_1a_3x3/weights), Keras (Conv2d_1a_3x3/kernel:0) or facenet-pytorch \
                 (conv2d_1a.conv.weight) name them; give a FaceNet file by ",
                    map.tensors.len()
                ),
                Field("model")
            ],
        ))
    }

    /// A file's name for a tensor, less what differs between writers of the same naming.
    pub fn simplify(&self, name: &str) -> String {
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
    pub fn layer(&self, layers: &[LayerSpec], i: usize) -> String {
        match self {
            Naming::TensorFlow(_) => layers[i].name.clone(),
            Naming::Keras => keras_scope(&layers[i].name),
            Naming::Torch => torch_scope(layers, i),
        }
    }

    pub fn conv_names(&self, scope: &str, bias_only: bool) -> Names {
        match self {
            Naming::TensorFlow(_) => tensorflow_names(scope, bias_only),
            Naming::Keras => keras_names(scope, &format!("{scope}_BatchNorm"), bias_only),
            // An up-projection is a bare convolution; the others are a convolution and a batch norm in one module.
            Naming::Torch if bias_only => torch_names(scope, &format!("{scope}.bn"), true),
            Naming::Torch => torch_names(&format!("{scope}.conv"), &format!("{scope}.bn"), false),
        }
    }

    pub fn bottleneck_names(&self) -> Names {
        match self {
            Naming::TensorFlow(_) => tensorflow_names("Bottleneck", false),
            Naming::Keras => keras_names("Bottleneck", "Bottleneck_BatchNorm", false),
            Naming::Torch => torch_names("last_linear", "last_bn", false),
        }
    }

    /// The classifier's weights and biases.
    pub fn logits_names(&self) -> [&'static str; 2] {
        match self {
            Naming::TensorFlow(_) => ["Logits/weights", "Logits/biases"],
            Naming::Keras => ["Logits/kernel", "Logits/bias"],
            Naming::Torch => ["logits.weight", "logits.bias"],
        }
    }

    /// What a file of the model has beside it: the classifier it was trained with, and the training's state.
    pub fn is_harmless(&self, name: &str, format: Format) -> bool {
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
    use super::super::layers;
    use super::*;

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
