//! Definitions of the embedding networks: which layers they have, and how these are joined. A definition is written once,
//! over a trait of layers, and walked for a list of its weights, for a graph of inference, and for one of training.
//!
//! ```
//! use warpface::networks::{ModelDef, NetworkSpec};
//!
//! let spec = NetworkSpec::new(ModelDef::DeepFace);
//! assert_eq!(spec.layers()?.len(), 6);
//! assert_eq!(spec.parameters(None, false)?.trained, 102_412_864);
//! # Ok::<(), warpface::Error>(())
//! ```

mod builder;
mod deepface;
mod inception;
mod inception_resnet_v1;
mod inception_resnet_v2;
mod layer;
mod model_def;
mod nn4_small2;
mod squeezenet;
mod width;

use std::fmt;

use crate::error::{Error, Field, Result};
use crate::graph::{Graph, NodeId};
use crate::ops::Activation;

pub use layer::{Follows, LayerSpec};
pub(crate) use layer::{Product, glorot};
pub use model_def::ModelDef;
pub use width::Width;

/// Sides of the largest crops that make sense, in pixels: a larger one is a typing error, and its products might not fit
/// a number.
pub const LARGEST_CROP: usize = 1 << 12;

/// A network: its definition, and what that leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Its definition.
    pub def: ModelDef,
    /// How wide it is.
    pub width: Width,
    /// Length of an embedding.
    pub embedding_size: usize,
    /// Side of its crops, in pixels; the weights depend on it where [`ModelDef::has_fixed_crop`].
    pub side: usize,
}

/// How many numbers a network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Those that training changes.
    pub trained: usize,
    /// Batch norms' running means and variances.
    pub statistics: usize,
}

impl NetworkSpec {
    /// As it is published.
    pub fn new(def: ModelDef) -> Self {
        let width = Width::FULL;
        NetworkSpec { def, width, embedding_size: def.embedding_size(width), side: def.crop() }
    }

    /// In this width, with embeddings as long as go with it.
    pub fn width(self, width: Width) -> Self {
        NetworkSpec { width, embedding_size: self.def.embedding_size(width), ..self }
    }

    /// With embeddings of this length.
    pub fn embedding_size(self, embedding_size: usize) -> Self {
        NetworkSpec { embedding_size, ..self }
    }

    /// For crops of this many pixels squared.
    pub fn side(self, side: usize) -> Self {
        NetworkSpec { side, ..self }
    }

    /// Refuses crops that it cannot take, or that are a typing error.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field.
    pub fn check_crop(&self) -> Result<()> {
        self.check_size(Field("image_size"))
    }

    /// As [`NetworkSpec::check_crop`], of a size that is given as another field.
    pub(crate) fn check_size(&self, field: Field) -> Result<()> {
        let problem = match (self.side, self.def.smallest_crop(), LARGEST_CROP) {
            (side, least, _) if side < least => format!("{side} is too small; {least} is the least for {}", self.def),
            (side, _, most) if side > most => format!("{side} is too large; {most} is the most"),
            _ => return Ok(()),
        };
        Err(Error::invalid(field, problem))
    }

    /// The same network for crops of another size, where weights let it.
    ///
    /// # Errors
    /// As [`NetworkSpec::check_crop`]; for a network whose weights belong to places in its crops.
    pub fn resized(self, side: usize) -> Result<Self> {
        let resized = self.side(side);
        resized.check_crop()?;
        if !resized.is_like(&self) {
            let problem =
                format!("{side} is not the {} of this {}, whose weights belong to places", self.side, self.def);
            return Err(Error::invalid(Field("image_size"), problem));
        }
        Ok(resized)
    }

    /// Whether weights of the one are the other's.
    pub fn is_like(&self, other: &NetworkSpec) -> bool {
        let layers = |network: &NetworkSpec| network.layers().ok();
        self.def == other.def && layers(self) == layers(other)
    }

    /// Its layers with weights in the order of the network; the last one makes the embedding.
    ///
    /// # Errors
    /// [`Error::Invalid`] for crops that are too small for it.
    pub fn layers(&self) -> Result<Vec<LayerSpec>> {
        let mut list = List::default();
        let x = list.graph.input("image");
        self.prelogits(&mut list, x)?;
        Ok(list.layers)
    }

    /// How many parameters the definition has, with a classifier of so many people where one is trained; `gamma` says
    /// whether batch norms have a trained scale.
    ///
    /// # Errors
    /// As [`NetworkSpec::layers`].
    pub fn parameters(&self, classes: Option<usize>, gamma: bool) -> Result<Parameters> {
        let classifier = classes.map_or(0, |classes| classes * (self.embedding_size + 1));
        let mut count = Parameters { trained: classifier, statistics: 0 };
        for layer in self.layers()? {
            let [weights, biases] = [&layer.w[..], layer.bias()].map(|extents| extents.iter().product::<usize>());
            count.trained += weights;
            if layer.follows.has_bias() {
                count.trained += biases;
            }
            if layer.follows.has_norm() {
                count.trained += if gamma { 2 * biases } else { biases };
                count.statistics += 2 * biases;
            }
        }
        Ok(count)
    }

    /// Walks the definition: from standardized RGB crops `[n, side, side, 3]` to prelogits `[n, embedding_size]`.
    pub(crate) fn prelogits(&self, layers: &mut impl Layers, x: NodeId) -> Result<NodeId> {
        match self.def {
            ModelDef::InceptionResnetV1 => inception_resnet_v1::prelogits(self, layers, x),
            ModelDef::InceptionResnetV2 => inception_resnet_v2::prelogits(self, layers, x),
            ModelDef::Squeezenet => squeezenet::prelogits(self, layers, x),
            ModelDef::DeepFace => deepface::prelogits(self, layers, x),
            ModelDef::Nn4Small2 | ModelDef::Nn4Small2Torch => nn4_small2::prelogits(self, layers, x),
        }
    }
}

impl fmt::Display for NetworkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stem = self.width.channels(self.def.stem());
        write!(
            f,
            "{} of {stem} channels in the first layer, with embeddings of {}",
            self.def.title(),
            self.embedding_size
        )?;
        match self.def.has_fixed_crop() {
            true => write!(f, ", for crops of {} pixels", self.side),
            false => Ok(()),
        }
    }
}

/// How a layer gets into a graph: with folded constants for inference, with states and batch statistics for training.
pub(crate) trait Layers {
    /// The graph under construction.
    fn graph(&mut self) -> &mut Graph;

    /// A layer with weights, what follows it, and its activation.
    fn layer(&mut self, layer: LayerSpec, product: Product, activation: Activation, x: NodeId) -> Result<NodeId>;

    /// Dropout, in training.
    fn dropout(&mut self, x: NodeId) -> NodeId {
        x
    }

    /// What was added since the last call is a block: what lies within may be computed again rather than kept.
    fn end_block(&mut self) {}
}

/// Lists the layers; its graph is of no use.
#[derive(Default)]
struct List {
    graph: Graph,
    layers: Vec<LayerSpec>,
}

impl Layers for List {
    fn graph(&mut self) -> &mut Graph {
        &mut self.graph
    }

    fn layer(&mut self, layer: LayerSpec, _: Product, _: Activation, x: NodeId) -> Result<NodeId> {
        self.layers.push(layer);
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_the_definitions() {
        let of = |def, classes| NetworkSpec::new(def).parameters(classes, false).unwrap();
        let deepface = of(ModelDef::DeepFace, None);
        assert_eq!(deepface, Parameters { trained: 102_412_864, statistics: 0 });
        assert_eq!(of(ModelDef::DeepFace, Some(4030)).trained, 118_923_774);
        // As the definitions say: Torch's in a comment, Keras's with the batch norms' statistics.
        for def in [ModelDef::Nn4Small2, ModelDef::Nn4Small2Torch] {
            let Parameters { trained, statistics } = NetworkSpec::new(def).parameters(None, def.has_gamma()).unwrap();
            assert_eq!((trained, trained + statistics), (3_733_968, 3_743_280));
        }
        let v1 = NetworkSpec::new(ModelDef::InceptionResnetV1).layers().unwrap();
        assert_eq!((v1.len(), v1.iter().filter(|layer| layer.follows == Follows::Bias).count()), (133, 21));
        let weights = |layers: &[LayerSpec]| layers.iter().map(|l| l.w.iter().product::<usize>()).sum::<usize>();
        assert_eq!(weights(&v1), 22_514_528 + 1792 * 128);
    }

    #[test]
    fn every_width_and_smallest_crop_is_a_network() {
        for def in ModelDef::ALL {
            for stem in (2..=32).step_by(2) {
                let spec = NetworkSpec::new(def).width(Width::of_stem(stem).unwrap()).side(def.smallest_crop());
                let layers = spec.layers().unwrap();
                assert!(layers.iter().all(|layer| layer.w.iter().all(|&extent| extent > 0)), "{spec:?}");
                let last = layers.last().unwrap();
                assert_eq!((last.name.as_str(), last.w[0]), (def.last_layer(), spec.embedding_size));
                assert_eq!(layers[0].c_out(), spec.width.channels(def.stem()));
            }
        }
    }

    #[test]
    fn deepface_needs_room() {
        let small = NetworkSpec::new(ModelDef::DeepFace).side(70).layers();
        assert!(small.unwrap_err().to_string().contains("71 pixels"));
    }
}
