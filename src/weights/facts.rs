//! What a model knows of its input: what is done to the pixels, how large its crops are, and how faces are cut out. It
//! travels with the weights.

use std::path::Path;

use super::Parsed;
use super::manifest::Entry;
use crate::error::{Field, Message, message};
use crate::image::AlignMethod;
use crate::networks::{ModelDef, NetworkSpec};
use crate::ops::Standardize;

/// What is known of how a network was trained, and its input must therefore be; `None` is unknown.
///
/// Files carry it as texts, `warpface.standardize`, `warpface.image_size`, `warpface.align` and `warpface.model_def`: a
/// `.safetensors` in its `__metadata__`, an `.npz` as arrays of these names, a `.pt` as attributes of the state dict, which
/// PyTorch keeps and passes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelFacts {
    /// What is done to the pixels first.
    pub standardize: Option<Standardize>,
    /// Side of the crops, in pixels.
    pub image_size: Option<usize>,
    /// How faces are cut out.
    pub align: Option<AlignMethod>,
    /// Which network it is.
    pub model_def: Option<ModelDef>,
}

/// Side of the published models' crops, in pixels.
pub const USUAL_CROP: usize = 160;

/// What all names of facts begin with.
pub(super) const PREFIX: &str = "warpface.";
const STANDARDIZE: &str = "warpface.standardize";
const IMAGE_SIZE: &str = "warpface.image_size";
const ALIGN: &str = "warpface.align";
const MODEL_DEF: &str = "warpface.model_def";

impl ModelFacts {
    /// With the pixels standardized so.
    pub fn standardize(mut self, standardize: Option<Standardize>) -> Self {
        self.standardize = standardize;
        self
    }

    /// For crops of `image_size` pixels squared.
    pub fn image_size(mut self, image_size: Option<usize>) -> Self {
        self.image_size = image_size;
        self
    }

    /// For faces cut out by this method.
    pub fn align(mut self, align: Option<AlignMethod>) -> Self {
        self.align = align;
        self
    }

    /// Of this network.
    pub fn model_def(mut self, model_def: Option<ModelDef>) -> Self {
        self.model_def = model_def;
        self
    }

    /// These, and where they do not know, what `others` know.
    pub fn or(self, others: ModelFacts) -> Self {
        ModelFacts {
            standardize: self.standardize.or(others.standardize),
            image_size: self.image_size.or(others.image_size),
            align: self.align.or(others.align),
            model_def: self.model_def.or(others.model_def),
        }
    }

    /// What pixels are standardized by where it is not said, for a network of embeddings of `dim` values. DeepFace's
    /// published port and OpenFace divide by 255; all of FaceNet's that is published with 128 values was trained on prewhitened crops.
    pub fn guess(&self, dim: usize) -> Standardize {
        match (self.model_def, dim) {
            (Some(ModelDef::DeepFace | ModelDef::Nn4Small2 | ModelDef::Nn4Small2Torch), _) => Standardize::Unit,
            (_, 128) => Standardize::Prewhiten,
            _ => Standardize::Fixed,
        }
    }

    /// What a user should be told of a guess about a file.
    pub fn warning(file: &Path, guess: Standardize, dim: usize) -> Message {
        message![
            format!(
                "warning: {}: nothing says how its photographs were standardized, fixed, prewhiten or unit; {guess} is \
                 what published models of {dim} values take. The wrong one spoils the distances: say it by ",
                file.display()
            ),
            Field("standardize")
        ]
    }

    /// What is known, by the names that files have.
    pub fn named(&self) -> Vec<(&'static str, String)> {
        let standardize = self.standardize.map(|mode| (STANDARDIZE, mode.to_string()));
        let image_size = self.image_size.map(|size| (IMAGE_SIZE, size.to_string()));
        let align = self.align.map(|method| (ALIGN, method.to_string()));
        let model_def = self.model_def.map(|def| (MODEL_DEF, def.to_string()));
        standardize.into_iter().chain(image_size).chain(align).chain(model_def).collect()
    }

    /// Takes a fact by its name; others are passed over.
    pub(super) fn learn(&mut self, name: &str, value: &str) -> Parsed<()> {
        let bad = |choices: &str| format!("says `{name}` is `{value}`, which is {choices}");
        match name {
            STANDARDIZE => {
                self.standardize = Some(value.parse().map_err(|_| bad("none of fixed, prewhiten and unit"))?);
            }
            IMAGE_SIZE => {
                let size = value.parse().ok().filter(|&size| size > 0);
                self.image_size = Some(size.ok_or_else(|| bad("no number of pixels"))?);
            }
            // A later version's method is unknown, not damage.
            ALIGN => self.align = value.parse().ok(),
            MODEL_DEF => {
                self.model_def = Some(value.parse().map_err(|_| bad("no network that is known here"))?);
            }
            _ => {}
        }
        Ok(())
    }
}

impl NetworkSpec {
    /// What a network tells of its input: which one it is, and where the weights belong to places, the size of its crops.
    pub fn facts(&self) -> ModelFacts {
        let told = self.def.has_fixed_crop() && !self.def.is_openface();
        ModelFacts::default().model_def(Some(self.def)).image_size(told.then_some(self.side))
    }
}

impl Entry {
    /// What is known of a published file's network.
    pub fn facts(&self) -> ModelFacts {
        let known = ModelFacts::default().standardize(self.standardize);
        known.image_size(Some(USUAL_CROP)).align(Some(AlignMethod::Crop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_learned() {
        let facts = ModelFacts::default().standardize(Some(Standardize::Prewhiten)).image_size(Some(80));
        let facts = facts.align(Some(AlignMethod::Similarity));
        let mut learned = ModelFacts::default();
        for (name, value) in facts.named() {
            learned.learn(name, &value).unwrap();
        }
        learned.learn("format", "pt").unwrap();
        assert_eq!(learned, facts);
        assert_eq!(ModelFacts::default().or(facts), facts);
        let fixed = ModelFacts::default().standardize(Some(Standardize::Fixed));
        assert_eq!(fixed.or(facts), fixed.image_size(Some(80)).align(facts.align));
        assert!(
            learned.learn("warpface.standardize", "often").unwrap_err().contains("none of fixed, prewhiten and unit")
        );
        assert!(learned.learn("warpface.image_size", "0").unwrap_err().contains("no number of pixels"));
        assert!(ModelFacts::default().named().is_empty());
    }
}
