//! How crops become vectors.

use crate::Precision;
use crate::networks::ModelDef;
use crate::ops::Standardize;
use crate::weights::{ModelFacts, USUAL_CROP};

/// What is done to the pixels of a crop first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standardization {
    /// What the model was trained with: by the manifest of published files, by what the file says of itself, or by the
    /// JSON beside a checkpoint of training. Where none of them knows, a guess by the embedding's size.
    #[default]
    Auto,
    /// This.
    As(Standardize),
}

/// Why a model's input is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was asked for.
    Asked,
    /// The model is known to have been trained so.
    Trained,
    /// Nothing is known of the model: published ones of 128 values take prewhitened crops, later ones fixed numbers.
    Guessed,
}

/// How an embedder works. The default is f32, and the size and standardization that the model was trained with.
///
/// ```
/// use warpface::Precision;
/// use warpface::face::{EmbedOptions, Standardize};
///
/// let options = EmbedOptions::default().precision(Precision::F16).standardize(Standardize::Prewhiten);
/// assert_eq!(options.size, None);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EmbedOptions {
    /// In which arithmetic it runs.
    pub precision: Precision,
    /// What is done to the pixels first.
    pub standardize: Standardization,
    /// Side of the crops, in pixels; by default what the model was trained with, else what it is defined for.
    pub size: Option<usize>,
    /// Which network the file must be of; by default the file says it.
    pub model_def: Option<ModelDef>,
    /// Crops of a batch; by default what suits the device. Any number gives the same bits.
    pub batch: Option<usize>,
    /// Take a file that has a published file's name and other content.
    pub allow_modified_weights: bool,
}

impl Default for EmbedOptions {
    fn default() -> Self {
        EmbedOptions {
            precision: Precision::F32,
            standardize: Standardization::Auto,
            size: None,
            model_def: None,
            batch: None,
            allow_modified_weights: false,
        }
    }
}

impl EmbedOptions {
    /// In this arithmetic.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// With the pixels standardized so.
    pub fn standardize(mut self, standardize: impl Into<Standardization>) -> Self {
        self.standardize = standardize.into();
        self
    }

    /// For crops of `size` pixels squared; by default those that the model was trained with.
    pub fn size(mut self, size: impl Into<Option<usize>>) -> Self {
        self.size = size.into();
        self
    }

    /// Refusing files of another network than this.
    pub fn model_def(mut self, model_def: impl Into<Option<ModelDef>>) -> Self {
        self.model_def = model_def.into();
        self
    }

    /// With at most `n` crops in a batch, at least one.
    pub fn batch(mut self, n: usize) -> Self {
        self.batch = Some(n.max(1));
        self
    }

    /// Taking a file that has a published file's name and other content, where `allow`.
    pub fn allow_modified_weights(mut self, allow: bool) -> Self {
        self.allow_modified_weights = allow;
        self
    }
}

impl From<Standardize> for EmbedOptions {
    fn from(standardize: Standardize) -> Self {
        EmbedOptions::default().standardize(standardize)
    }
}

impl From<Standardize> for Standardization {
    fn from(standardize: Standardize) -> Self {
        Standardization::As(standardize)
    }
}

impl From<Option<Standardize>> for Standardization {
    fn from(asked: Option<Standardize>) -> Self {
        asked.map_or(Standardization::Auto, Standardization::As)
    }
}

impl Standardization {
    /// What is done to the pixels, and why, for a network of embeddings of `dim` values.
    pub(super) fn of(self, facts: &ModelFacts, dim: usize) -> (Standardize, Reason) {
        match (self, facts.standardize) {
            (Standardization::As(asked), _) => (asked, Reason::Asked),
            (Standardization::Auto, Some(known)) => (known, Reason::Trained),
            (Standardization::Auto, None) => (facts.guess(dim), Reason::Guessed),
        }
    }
}

impl EmbedOptions {
    /// Side of the crops, in pixels, and why.
    pub(super) fn crop_size(&self, facts: &ModelFacts) -> (usize, Reason) {
        match (self.size, facts.image_size) {
            (Some(asked), _) => (asked, Reason::Asked),
            (None, Some(trained)) => (trained, Reason::Trained),
            (None, None) => (facts.model_def.map_or(USUAL_CROP, ModelDef::crop), Reason::Guessed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_comes_first_and_a_guess_last() {
        let known = ModelFacts::default().standardize(Some(Standardize::Fixed));
        let unknown = ModelFacts::default();
        let asked = Standardization::As(Standardize::Prewhiten);
        assert_eq!(asked.of(&known, 128), (Standardize::Prewhiten, Reason::Asked));
        assert_eq!(Standardization::Auto.of(&known, 128), (Standardize::Fixed, Reason::Trained));
        assert_eq!(Standardization::Auto.of(&unknown, 128), (Standardize::Prewhiten, Reason::Guessed));
        assert_eq!(Standardization::Auto.of(&unknown, 512), (Standardize::Fixed, Reason::Guessed));
    }
}
