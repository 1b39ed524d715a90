//! How crops become vectors.

use std::path::Path;

use crate::Precision;
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

/// Why pixels are standardized as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was asked for.
    Asked,
    /// The model is known to have been trained so.
    Trained,
    /// Nothing is known of the model, and this is the usual one.
    Usual,
}

/// How an embedder works. The default is f32, crops of 160 pixels, and the standardization that the model was trained
/// with.
///
/// ```
/// use warpface::Precision;
/// use warpface::face::{EmbedOptions, Standardize};
///
/// let options = EmbedOptions::default().precision(Precision::F16).standardize(Standardize::Prewhiten);
/// assert_eq!(options.size, 160);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EmbedOptions {
    /// In which arithmetic it runs.
    pub precision: Precision,
    /// What is done to the pixels first.
    pub standardize: Standardization,
    /// Side of the crops, in pixels.
    pub size: usize,
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
            size: 160,
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

    /// For crops of `size` pixels squared.
    pub fn size(mut self, size: usize) -> Self {
        self.size = size;
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
    /// What is done to the pixels, and why; `file` and `entry` are the model's, where it is of a file.
    pub(super) fn of(self, file: Option<&Path>, entry: Option<&Entry>) -> (Standardize, Reason) {
        let known = || entry.and_then(|entry| entry.standardize).or_else(|| checkpoint::standardize(file?));
        match self {
            Standardization::As(asked) => (asked, Reason::Asked),
            Standardization::Auto => {
                known().map_or((Standardize::Fixed, Reason::Usual), |known| (known, Reason::Trained))
            }
        }
    }
}
