//! Photographs on their way to embeddings, on one device or several.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{FacesArgs, origin};
use crate::Error;
use crate::backend::Device;
use crate::cli::context::{Globals, Model, progress};
use crate::cli::photos::{self, GivenCrops, Tally};
use crate::cli::pipeline::{Lane, Pipeline, Work};
use crate::face::{Aligner, Detector, Face, choose};
use crate::image::{self, Rgb8};
use crate::vectors::Origin;

/// The models that embed, and how faces come to them.
pub struct Opened<'a> {
    args: &'a FacesArgs,
    /// By which names devices were chosen.
    names: Vec<String>,
    /// One for each device.
    models: Vec<Model>,
    /// One for each device; none where photographs are crops already.
    detectors: Vec<Detector>,
    aligner: Aligner,
}

/// A face that is taken of a photograph, or a crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    pub bounds: [f64; 4],
    pub landmarks: Option<[[f64; 2]; 5]>,
    pub score: Option<f64>,
}

impl From<&Face> for Taken {
    fn from(face: &Face) -> Self {
        Taken { bounds: face.bounds, landmarks: Some(face.landmarks), score: Some(face.score) }
    }
}

/// What there is to tell of a photograph.
#[derive(Default)]
pub struct Noted {
    /// The faces that are taken; of those that cannot be cut out why.
    pub faces: Vec<(Taken, Option<Error>)>,
    /// Whether it has faces that are not taken.
    pub has_others: bool,
}

impl Noted {
    /// A photograph that is a crop.
    fn crop(photo: &Rgb8) -> Self {
        let bounds = [0.0, 0.0, photo.width() as f64, photo.height() as f64];
        Noted { faces: vec![(Taken { bounds, landmarks: None, score: None }, None)], has_others: false }
    }
}

impl FacesArgs {
    /// Opens the model and the detector on each of the devices.
    pub fn open<'a>(&'a self, globals: &Globals, devices: &[(String, Device)]) -> Result<Opened<'a>> {
        let options = self.detect.options()?;
        self.crops.check(self.aligned)?;
        self.align.check()?;
        let models: Vec<Model> = globals.open_models(devices, &self.crops)?;
        let detectors = if self.aligned { Vec::new() } else { globals.open_detectors(devices, &options)? };
        let aligner = self.align.aligner(&models[0], globals, self.aligned.then_some(&self.paths[..]))?;
        let names = devices.iter().map(|(name, _)| name.clone()).collect();
        Ok(Opened { args: self, names, models, detectors, aligner })
    }
}

impl Opened<'_> {
    /// What makes the embeddings.
    pub fn origin(&self) -> Result<Origin> {
        origin(&self.models[0], &self.aligner, self.args.aligned)
    }

    /// What else rows depend on, for a run that resumes.
    pub fn settings(&self, globals: &Globals) -> Map<String, Value> {
        let mut settings = self.args.detect.settings();
        let more = [
            ("all_faces", json!(self.args.all_faces)),
            ("aligned", json!(self.args.aligned)),
            ("resize", json!(self.args.crops.resize())),
            ("image_size", json!(self.model().embedder.size())),
            ("warp", json!(self.aligner.alignment().warp.to_string())),
            ("precision", json!(globals.precision.to_string())),
            ("conv", json!(globals.conv.to_string())),
        ];
        settings.extend(more.map(|(name, value)| (name.to_owned(), value)));
        settings
    }

    /// One of the models: all are the same.
    pub fn model(&self) -> &Model {
        &self.models[0]
    }

    /// Does all of these photographs, and tells of each in order what is noted, with the embeddings of the faces that could
    /// be cut out, or why it cannot be read. `what` names the work to the progress bar.
    pub fn each<'a>(
        &'a self,
        images: &[PathBuf],
        what: &'static str,
        tally: &mut Tally,
        tell: impl FnMut(usize, crate::Result<(Noted, &[f32])>) -> crate::Result<()> + Send,
    ) -> Result<()> {
        let given = self.args.crops.given(self.model());
        let bar = progress(images.len(), what);
        let lane = |(i, model): (usize, &'a Model)| Lane {
            device: &self.names[i],
            embedder: &model.embedder,
            detector: self.detectors.get(i),
        };
        let lanes = self.models.iter().enumerate().map(lane).collect();
        let pipeline = Pipeline { lanes, batch: usize::MAX, bar: &bar };
        let work = Work {
            decode: |i: usize| image::decode(&images[i]),
            cut: |i: usize, photo: &Rgb8, faces: &[Face]| self.cut(photo, faces, &images[i], &given),
            tell,
        };
        pipeline.run(images.len(), tally, work)?;
        bar.finish_and_clear();
        Ok(())
    }

    /// The crops of a photograph's faces, and what there is to tell of it.
    fn cut(&self, photo: &Rgb8, faces: &[Face], path: &Path, given: &GivenCrops) -> (Noted, Vec<Rgb8>) {
        if self.detectors.is_empty() {
            return (Noted::crop(photo), vec![given.input(photo)]);
        }
        let all = self.args.all_faces;
        let mut noted = Noted { has_others: faces.len() > 1 && !all, ..Noted::default() };
        let chosen = match all {
            true => 0..faces.len(),
            false => choose(faces, photo.width(), photo.height()).map_or(0..0, |i| i..i + 1),
        };
        let mut crops = Vec::new();
        for face in &faces[chosen] {
            match self.aligner.align(photo, face) {
                // Its box lies beside the photograph.
                Ok(None) => {}
                Ok(Some(crop)) => {
                    noted.faces.push((face.into(), None));
                    crops.push(crop);
                }
                Err(error) => noted.faces.push((face.into(), Some(photos::of_photo(path, &error)))),
            }
        }
        (noted, crops)
    }
}
