//! Finding faces: what callers use.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cascade::{self, Cascade};
use crate::backend::{Device, Pending};
use crate::error::Field;
use crate::image::Rgb8;
use crate::models::Mtcnn;
use crate::{Error, Result};

/// A face found in a photograph. Coordinates are pixels of the photograph, as the original's: the first pixel is 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Left, top, right, bottom: `x1 y1 x2 y2`. May reach over the photograph's border.
    #[serde(rename = "box")]
    pub bounds: [f64; 4],
    /// O-Net's probability that this is a face, 0 to 1.
    pub score: f64,
    /// `[x, y]` of the left eye, right eye, nose, left and right corner of the mouth, as seen by the viewer.
    pub landmarks: [[f64; 2]; 5],
}

/// How to look for faces. The default is the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectOptions {
    /// Side of the smallest face looked for, in pixels of the photograph; from 12.
    pub min_size: usize,
    /// Probabilities that P-Net, R-Net and O-Net must reach.
    pub thresholds: [f32; 3],
    /// Ratio of a pyramid level to the one before, between 0 and 1.
    pub factor: f64,
}

impl Default for DetectOptions {
    fn default() -> Self {
        DetectOptions { min_size: 20, thresholds: [0.6, 0.7, 0.7], factor: 0.709 }
    }
}

impl DetectOptions {
    /// Checks that the options make sense.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the option.
    pub fn check(&self) -> Result<()> {
        if self.min_size < 12 {
            return Err(Error::invalid(Field("min_size"), format!("{} is below 12, P-Net's cell", self.min_size)));
        }
        if !(0.1..=0.95).contains(&self.factor) {
            let problem =
                format!("{} is not between 0.1 and 0.95: the ratio of a pyramid level to the one before", self.factor);
            return Err(Error::invalid(Field("factor"), problem));
        }
        if let Some(bad) = self.thresholds.iter().find(|t| !(0.0..=1.0).contains(*t)) {
            return Err(Error::invalid(Field("thresholds"), format!("{bad} is not a probability, 0 to 1")));
        }
        Ok(())
    }
}

/// Finds faces in photographs.
pub struct Detector {
    device: Device,
    cascade: Box<dyn Cascade>,
}

impl Detector {
    /// A detector with the weights of a folder (see [`Mtcnn::load`]).
    ///
    /// # Errors
    /// As [`Mtcnn::load`] and [`Detector::new`].
    pub fn load(device: &Device, folder: impl AsRef<Path>, options: &DetectOptions) -> Result<Self> {
        Self::new(device, &Mtcnn::load(folder, false)?, options)
    }

    /// A detector of these networks.
    ///
    /// # Errors
    /// [`Error::Invalid`] for options that make no sense; [`Error::Device`] if the device cannot take the networks.
    pub fn new(device: &Device, networks: &Mtcnn, options: &DetectOptions) -> Result<Self> {
        options.check()?;
        Ok(Detector { device: device.clone(), cascade: cascade::open(device, networks, options)? })
    }

    /// The device it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The faces of each photograph; see [`Cascade::detect`].
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails or a photograph does not fit its memory.
    pub fn detect(&self, images: &[&Rgb8]) -> Result<Vec<Vec<Face>>> {
        self.cascade.detect(images)
    }

    /// As [`Detector::detect`], without blocking where the device need not.
    pub fn detect_async<'a>(&'a self, images: &'a [&'a Rgb8]) -> Pending<'a, Result<Vec<Vec<Face>>>> {
        self.cascade.detect_async(images)
    }

    /// The faces of one photograph.
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub fn detect_one(&self, image: &Rgb8) -> Result<Vec<Face>> {
        Ok(self.detect(&[image])?.pop().unwrap_or_default())
    }
}
