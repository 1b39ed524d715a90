//! How crops become vectors.

use std::path::Path;

use crate::Precision;
use crate::models::USUAL_CROP;
use crate::ops::Standardize;
use crate::train::checkpoint;
use crate::weights::Entry;

/// What is done to the pixels of a crop first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standardization {
    /// What the model was trained with: by the manifest of published files, or by the JSON beside a checkpoint of
    /// training; [`Standardize::Fixed`], the usual one, where neither knows the file.
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
    /// Nothing is known of the model, and this is the usual one.
    Usual,
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
    /// Side of the crops, in pixels; by default what the model was trained with, else 160.
    pub size: Option<usize>,
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

/// What is known of how a model was trained.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub standardize: Option<Standardize>,
    pub size: Option<usize>,
}

impl Known {
    /// Of a published file.
    pub fn published(entry: &Entry) -> Known {
        Known { standardize: entry.standardize, size: Some(USUAL_CROP) }
    }

    /// What stands beside a file: the JSON of a checkpoint.
    pub fn beside(file: &Path) -> Known {
        let checkpoint::TrainedWith { standardize, image_size, .. } = checkpoint::trained_with(file);
        Known { standardize, size: image_size }
    }
}

impl EmbedOptions {
    /// What is done to the pixels, and why.
    pub(super) fn standardization(&self, known: Known) -> (Standardize, Reason) {
        match self.standardize {
            Standardization::As(asked) => (asked, Reason::Asked),
            Standardization::Auto => {
                known.standardize.map_or((Standardize::Fixed, Reason::Usual), |known| (known, Reason::Trained))
            }
        }
    }

    /// Side of the crops, in pixels, and why.
    pub(super) fn crop_size(&self, known: Known) -> (usize, Reason) {
        match (self.size, known.size) {
            (Some(asked), _) => (asked, Reason::Asked),
            (None, Some(trained)) => (trained, Reason::Trained),
            (None, None) => (USUAL_CROP, Reason::Usual),
        }
    }
}
