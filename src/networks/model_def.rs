//! Which networks there are.

use std::fmt;
use std::str::FromStr;

use super::Width;
use crate::image::{AlignMethod, OpenFacePoints};
use crate::{Error, Result};

/// An embedding network, by the name of its definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum ModelDef {
    /// Inception-ResNet-v1 (Szegedy et al. 2016) as davidsandberg/facenet's `models/inception_resnet_v1.py` has it.
    InceptionResnetV1,
    /// Inception-ResNet-v2 (Szegedy et al. 2016) as davidsandberg/facenet's `models/inception_resnet_v2.py` has it.
    InceptionResnetV2,
    /// SqueezeNet (Iandola et al. 2016) as davidsandberg/facenet's `models/squeezenet.py` has it.
    Squeezenet,
    /// DeepFace (Taigman et al. 2014).
    DeepFace,
    /// OpenFace's nn4.small2 as Keras-OpenFace has it.
    Nn4Small2,
    /// OpenFace's nn4.small2 as Torch has it, whose response normalization is over fewer channels.
    Nn4Small2Torch,
}

/// What is fixed of a definition.
struct Facts {
    name: &'static str,
    title: &'static str,
    scope: &'static str,
    crop: usize,
    smallest_crop: usize,
    embedding_size: usize,
    stem: usize,
    epsilon: f64,
    norm_decay: f32,
    last: &'static str,
}

/// What davidsandberg/facenet's definitions have in common.
const FACENET: Facts = Facts {
    name: "",
    title: "",
    scope: "",
    crop: 160,
    smallest_crop: 80,
    embedding_size: 128,
    stem: 32,
    epsilon: 0.001,
    norm_decay: 0.995,
    last: "Bottleneck",
};

/// What both forms of OpenFace's network have in common.
const OPENFACE: Facts = Facts { crop: 96, smallest_crop: 65, stem: 64, epsilon: 1e-5, last: "dense_layer", ..FACENET };

impl ModelDef {
    /// All of them.
    pub const ALL: [ModelDef; 6] = [
        ModelDef::InceptionResnetV1,
        ModelDef::InceptionResnetV2,
        ModelDef::Squeezenet,
        ModelDef::DeepFace,
        ModelDef::Nn4Small2,
        ModelDef::Nn4Small2Torch,
    ];

    fn facts(self) -> Facts {
        match self {
            ModelDef::InceptionResnetV1 => Facts {
                name: "inception_resnet_v1",
                title: "Inception-ResNet-v1",
                scope: "InceptionResnetV1/",
                ..FACENET
            },
            ModelDef::InceptionResnetV2 => Facts {
                name: "inception_resnet_v2",
                title: "Inception-ResNet-v2",
                scope: "InceptionResnetV2/",
                ..FACENET
            },
            ModelDef::Squeezenet => Facts {
                name: "squeezenet",
                title: "SqueezeNet",
                scope: "squeezenet/",
                smallest_crop: 25,
                stem: 96,
                ..FACENET
            },
            ModelDef::DeepFace => Facts {
                name: "deepface",
                title: "DeepFace",
                scope: "deepface/",
                crop: 152,
                smallest_crop: 71,
                embedding_size: 4096,
                last: "F7",
                ..FACENET
            },
            ModelDef::Nn4Small2 => {
                Facts { name: "nn4_small2", title: "nn4.small2", scope: "nn4_small2/", norm_decay: 0.99, ..OPENFACE }
            }
            ModelDef::Nn4Small2Torch => Facts {
                name: "nn4_small2_torch",
                title: "nn4.small2 of Torch",
                scope: "nn4_small2_torch/",
                norm_decay: 0.9,
                ..OPENFACE
            },
        }
    }

    /// Its name, the original's.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    /// What stands before its layers' names in files.
    pub fn scope(self) -> &'static str {
        self.facts().scope
    }

    /// Side of the crops that it is defined for, in pixels.
    pub fn crop(self) -> usize {
        self.facts().crop
    }

    /// Side of the smallest crops that it takes, in pixels.
    pub fn smallest_crop(self) -> usize {
        self.facts().smallest_crop
    }

    /// Length of an embedding, where nothing else is said.
    pub fn embedding_size(self, width: Width) -> usize {
        match self {
            // Its embeddings are a layer of the network's own.
            ModelDef::DeepFace => width.channels(self.facts().embedding_size),
            _ => self.facts().embedding_size,
        }
    }

    /// Channels of the first layer, as published.
    pub fn stem(self) -> usize {
        self.facts().stem
    }

    /// What batch norms add to variances.
    pub fn epsilon(self) -> f64 {
        self.facts().epsilon
    }

    /// How much of a batch norm's old running averages stays after a step of training.
    pub fn norm_decay(self) -> f32 {
        self.facts().norm_decay
    }

    /// The layer that makes the embedding, by its name.
    pub fn last_layer(self) -> &'static str {
        self.facts().last
    }

    /// Whether dropout stands behind the embedding, before the classifier.
    pub fn drops_prelogits(self) -> bool {
        self == ModelDef::DeepFace
    }

    /// Whether batch norms have a trained scale, as it is defined.
    pub fn has_gamma(self) -> bool {
        self.is_openface()
    }

    /// How faces were cut out for its published weights, where not by their box.
    pub fn alignment(self) -> Option<AlignMethod> {
        self.is_openface().then_some(AlignMethod::OpenFace(OpenFacePoints::OuterEyesAndNose))
    }

    /// Whether it is OpenFace's network, in either form.
    pub fn is_openface(self) -> bool {
        matches!(self, ModelDef::Nn4Small2 | ModelDef::Nn4Small2Torch)
    }

    /// Whether weights or borders within belong to places in the image, so that crops must have the size that it was trained
    /// with.
    pub fn has_fixed_crop(self) -> bool {
        self == ModelDef::DeepFace || self.is_openface()
    }
}

impl fmt::Display for ModelDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ModelDef {
    type Err = Error;

    /// By name, also as the original's scripts have it: `models.inception_resnet_v1`.
    fn from_str(text: &str) -> Result<Self> {
        let plain = text.strip_prefix("models.").unwrap_or(text).replace('-', "_");
        let found = ModelDef::ALL.into_iter().find(|def| def.name() == plain);
        found.ok_or_else(|| {
            let names = ModelDef::ALL.map(ModelDef::name).join(", ");
            Error::invalid(format!("network `{text}`"), format!("is not known; choose one of {names}"))
        })
    }
}

impl TryFrom<String> for ModelDef {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ModelDef> for String {
    fn from(def: ModelDef) -> String {
        def.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_there_and_back() {
        for def in ModelDef::ALL {
            assert_eq!(def.name().parse::<ModelDef>().unwrap(), def);
            assert_eq!(format!("models.{def}").parse::<ModelDef>().unwrap(), def);
        }
        assert_eq!("inception-resnet-v2".parse::<ModelDef>().unwrap(), ModelDef::InceptionResnetV2);
        let error = "alexnet".parse::<ModelDef>().unwrap_err().to_string();
        assert!(error.contains("alexnet") && error.contains("squeezenet"), "{error}");
    }
}
