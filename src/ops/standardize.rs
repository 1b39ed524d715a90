//! Pixels to network input (`facenet.prewhiten`, the fixed form of the later models, and OpenFace's).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Operator, Real, Tolerance, arity};
use crate::image::{self, Rgb8};
use crate::{Error, Shape, Tensor};

/// What is done to an image's pixels before a network sees them. Input and output: `x: [n, ..]`, 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "Attributes")]
pub enum Standardize {
    /// `(x - 127.5) / 128`.
    Fixed,
    /// `(x - mean) / max(std, 1 / sqrt(count))` over each image, all pixels and channels.
    Prewhiten,
    /// `x / 255`, as OpenFace and DeepFace's ports take it.
    Unit,
}

/// The attributes by name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    mode: String,
}

impl TryFrom<Attributes> for Standardize {
    type Error = Error;

    fn try_from(attributes: Attributes) -> Result<Self, Error> {
        attributes.mode.parse()
    }
}

impl fmt::Display for Standardize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standardize::Fixed => "fixed",
            Standardize::Prewhiten => "prewhiten",
            Standardize::Unit => "unit",
        })
    }
}

impl FromStr for Standardize {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "fixed" => Ok(Standardize::Fixed),
            "prewhiten" => Ok(Standardize::Prewhiten),
            "unit" => Ok(Standardize::Unit),
            _ => Err(Error::invalid(format!("standardization `{name}`"), "choose fixed, prewhiten or unit")),
        }
    }
}

impl Standardize {
    /// What is subtracted, and what the rest is divided by, where that does not depend on the pixels.
    pub(crate) fn constants(self) -> Option<(f64, f64)> {
        match self {
            Standardize::Fixed => Some((127.5, 128.0)),
            Standardize::Unit => Some((0.0, 255.0)),
            Standardize::Prewhiten => None,
        }
    }

    /// Writes a network's input for a picture, `[height, width, 3]`.
    ///
    /// # Panics
    /// If `to` is not of the picture's size.
    pub fn pixels(self, picture: &Rgb8, to: &mut [f32]) {
        match self.constants() {
            Some((mean, deviation)) => image::standardize(picture, mean, deviation, to),
            None => image::prewhiten(picture, to),
        }
    }
}

impl Operator for Standardize {
    const STEM: &'static str = "standardize";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        arity(inputs, 1, "x")?;
        if inputs[0].rank() < 2 {
            return Err(format!("expected x: [n, ..], got {}", inputs[0]));
        }
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[&Shape], output: &Shape) -> u64 {
        2 * output.elements() as u64
    }

    fn by_image(&self, i: usize) -> bool {
        i == 0
    }

    fn tolerance(&self) -> Tolerance {
        // The mean is of values up to 255, the result around 1.
        Tolerance::new(1e-5, 4e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let mut y = inputs[0].clone();
        let per_image: usize = y.dims()[1..].iter().product();
        for image in y.data_mut().chunks_exact_mut(per_image.max(1)) {
            let count = T::of(per_image as f64);
            let (mean, deviation) = match self.constants() {
                Some((mean, deviation)) => (T::of(mean), T::of(deviation)),
                None => {
                    let mean = image.iter().copied().sum::<T>() / count;
                    let variance = image.iter().map(|&x| (x - mean) * (x - mean)).sum::<T>() / count;
                    (mean, variance.sqrt().max(count.sqrt().recip()))
                }
            };
            image.iter_mut().for_each(|x| *x = (*x - mean) / deviation);
        }
        y
    }
}
