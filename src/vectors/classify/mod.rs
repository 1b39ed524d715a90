//! Whose face it is: a linear support vector machine, or the nearest known faces (davidsandberg/facenet's
//! `classifier.py` and `predict.py`).
//!
//! ```
//! use warpface::Device;
//! use warpface::face::Embeddings;
//! use warpface::vectors::classify::{Classifier, KnownFaces, Options};
//!
//! let faces = Embeddings::new(2, vec![1.0, 0.0, 0.8, 0.6, -1.0, 0.0, -0.8, 0.6]);
//! let names = ["Ann", "Ann", "Bob", "Bob"].map(String::from);
//! let device = Device::cpu(1)?;
//! let classifier = Classifier::train(&device, KnownFaces::new(&faces, &names)?, &Options::default())?;
//! let found = classifier.predict(&device, &Embeddings::new(2, vec![0.96, 0.28]))?;
//! assert_eq!(classifier.known().people()[found[0].person()], "Ann");
//! # Ok::<(), warpface::Error>(())
//! ```

mod file;
mod knn;
mod known;
mod split;
mod svm;
mod unknown;

use std::fmt;
use std::str::FromStr;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use file::{Trained, VERSION};
pub use known::KnownFaces;
pub use split::{Parts, Split};
pub use svm::{Svm, SvmOptions};
pub use unknown::Unknown;

use super::search::Neighbours;
use crate::backend::Device;
use crate::error::Field;
use crate::face::Embeddings;
use crate::{Error, Result};

/// How a face is told whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A linear support vector machine for each two people, with probabilities.
    #[default]
    Svm,
    /// The nearest known faces, each with one over its distance.
    Knn,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Svm => "svm",
            Method::Knn => "knn",
        })
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "svm" => Ok(Method::Svm),
            "knn" => Ok(Method::Knn),
            _ => Err(Error::invalid(format!("method `{name}`"), "there are svm and knn")),
        }
    }
}

/// How a classifier is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// By which method.
    pub method: Method,
    /// How many of the nearest faces vote (knn); from 1. The default is 3: it told 40 people of LFW apart best of 1, 3, 5
    /// and 7, from five photographs each and from ten.
    pub neighbours: usize,
    /// How machines are trained (svm).
    pub svm: SvmOptions,
    /// The share of strangers' faces that may be taken for somebody known; the threshold follows from it.
    pub false_accept_rate: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options { method: Method::default(), neighbours: 3, svm: SvmOptions::default(), false_accept_rate: 0.01 }
    }
}

impl Options {
    /// By this method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// With votes of this number of the nearest faces.
    pub fn neighbours(mut self, neighbours: usize) -> Self {
        self.neighbours = neighbours;
        self
    }

    /// With machines trained so.
    pub fn svm(mut self, svm: SvmOptions) -> Self {
        self.svm = svm;
        self
    }

    /// With a threshold that takes this share of strangers' faces for somebody known.
    pub fn false_accept_rate(mut self, rate: f64) -> Self {
        self.false_accept_rate = rate;
        self
    }
}

/// What a classifier tells by.
#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Svm(Svm),
    Knn(usize),
}

/// Tells whose face an embedding is.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    known: KnownFaces,
    rule: Rule,
    unknown: Unknown,
    /// The mean of each person's faces.
    centres: Vec<Vec<f64>>,
}

/// Whose face it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// How likely it is each of the people, in their order, if it is one of them; the sum is 1.
    pub probabilities: Vec<f64>,
    /// The squared Euclidean distance to the nearest person's centre.
    pub distance: f64,
    /// Whether that is within the threshold; else the face is unknown.
    pub is_known: bool,
}

impl Prediction {
    /// The likeliest person; the first of equals.
    pub fn person(&self) -> usize {
        self.best(1)[0]
    }

    /// So many people, the likeliest first, of equals the first.
    pub fn best(&self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.probabilities.len()).collect();
        order.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        order.truncate(count.max(1));
        order
    }
}

impl Classifier {
    /// Trains on faces of known people. The same faces and options give the same bits, whatever the threads.
    ///
    /// # Errors
    /// [`Error::Invalid`] for options that make no sense, and for embeddings that are all equal; [`Error::TooLarge`] as
    /// [`Svm::fit`]. [`KnownFaces::new`] has refused the rest.
    pub fn train(device: &Device, known: KnownFaces, options: &Options) -> Result<Self> {
        Self::train_told(device, known, options, &|_, _| ())
    }

    /// [`Classifier::train`]; `told` hears how many of how many parts are done, from any thread.
    ///
    /// # Errors
    /// As [`Classifier::train`].
    pub fn train_told(
        device: &Device,
        known: KnownFaces,
        options: &Options,
        told: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self> {
        if options.neighbours == 0 {
            return Err(Error::invalid(Field("neighbours"), "nobody would vote; 1 is the least"));
        }
        let first = known.faces().row(0);
        if known.faces().rows().all(|row| row == first) {
            let problem =
                format!("all {} are equal: the weights, or the photographs, are of no use", known.faces().len());
            return Err(Error::invalid("embeddings", problem));
        }
        let centres = known.centres();
        let unknown = Unknown::measure(device, &known, &centres, options.false_accept_rate)?;
        let rule = match options.method {
            Method::Svm => Rule::Svm(Svm::fit(device, &known, &options.svm, told)?),
            Method::Knn => Rule::Knn(options.neighbours),
        };
        Ok(Classifier { known, rule, unknown, centres })
    }

    /// The people, and their faces.
    pub fn known(&self) -> &KnownFaces {
        &self.known
    }

    /// By which method it tells.
    pub fn method(&self) -> Method {
        match self.rule {
            Rule::Svm(_) => Method::Svm,
            Rule::Knn(_) => Method::Knn,
        }
    }

    /// Its machines, where it has any.
    pub fn svm(&self) -> Option<&Svm> {
        match &self.rule {
            Rule::Svm(svm) => Some(svm),
            Rule::Knn(_) => None,
        }
    }

    /// How many of the nearest faces vote, where they do.
    pub fn neighbours(&self) -> Option<usize> {
        match self.rule {
            Rule::Svm(_) => None,
            Rule::Knn(neighbours) => Some(neighbours),
        }
    }

    /// The distance from which on a face is unknown, and how it was measured.
    pub fn unknown(&self) -> &Unknown {
        &self.unknown
    }

    /// The same with another threshold.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that is no squared distance.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self> {
        if !(threshold.is_finite() && threshold >= 0.0) {
            let problem = format!("{threshold} is no squared distance, from 0");
            return Err(Error::invalid(Field("unknown_threshold"), problem));
        }
        self.unknown.threshold = threshold;
        Ok(self)
    }

    /// Whose each face is. A face's prediction does not depend on the others.
    ///
    /// # Errors
    /// [`Error::Invalid`] for embeddings of another length, or that are not finite.
    pub fn predict(&self, device: &Device, faces: &Embeddings) -> Result<Vec<Prediction>> {
        let dim = self.known.faces().dim();
        if !faces.is_empty() && faces.dim() != dim {
            let problem = format!("{} values each, and the classifier takes {dim}", faces.dim());
            return Err(Error::invalid("embeddings", problem));
        }
        if let Some(row) = faces.rows().position(|row| row.iter().any(|x| !x.is_finite())) {
            return Err(Error::invalid("embeddings", format!("row {row} is no number")));
        }
        let probabilities: Vec<Vec<f64>> = match &self.rule {
            Rule::Svm(svm) => {
                let one = |face: &[f32]| svm.probabilities(&self.known, face);
                device.install(|| faces.as_slice().par_chunks_exact(dim).map(one).collect())
            }
            Rule::Knn(neighbours) => {
                let nearest = Neighbours::new(device, self.known.faces())?.nearest(faces, *neighbours)?;
                nearest.iter().map(|hits| knn::probabilities(&self.known, hits)).collect()
            }
        };
        let told = |(probabilities, face): (Vec<f64>, &[f32])| {
            let (_, distance) = unknown::nearest(face, &self.centres);
            Prediction { probabilities, distance, is_known: distance <= self.unknown.threshold }
        };
        Ok(probabilities.into_iter().zip(faces).map(told).collect())
    }
}
