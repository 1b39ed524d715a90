//! The page of a run: figures, ROC, histograms, the hardest pairs.

use anyhow::Result;

use super::{Args, Cropper, Measured};
use crate::cli::context::Model;
use crate::eval::report::{self, PicturePair, ReportInput};
use crate::face::Alignment;
use crate::image::name_of;

/// Pairs of each kind that the report shows.
const HARDEST: usize = 12;

impl Args {
    /// The page as HTML.
    pub(super) fn page(&self, model: &Model, device: &str, cropper: &Cropper, measured: &Measured) -> Result<String> {
        let Measured { evaluation, images, skipped, seconds, .. } = measured;
        Ok(report::html(&ReportInput {
            title: &name_of(&self.folder),
            model: &model.path.display().to_string(),
            device,
            options: &self.options_of(model, cropper.aligner.alignment()),
            images: *images,
            evaluation,
            nearest_different: &self.pictures(cropper, measured, evaluation.nearest_different(HARDEST))?,
            farthest_same: &self.pictures(cropper, measured, evaluation.farthest_same(HARDEST))?,
            skipped,
            seconds: &seconds.named(),
        }))
    }

    /// The options that the report names.
    fn options_of(&self, model: &Model, alignment: &Alignment) -> [(String, String); 6] {
        let input = if self.aligned { "aligned crops".to_owned() } else { format!("photographs, {alignment}") };
        [
            ("distance", self.distance.to_string()),
            ("flip", self.flip.to_string()),
            ("subtract mean", self.subtract_mean.to_string()),
            ("standardization", model.embedder.standardize().to_string()),
            ("pairs", self.pairs.file(&self.folder).display().to_string()),
            ("input", input),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// These pairs as the report shows them.
    fn pictures(&self, cropper: &Cropper, measured: &Measured, of: Vec<usize>) -> crate::Result<Vec<PicturePair>> {
        let name = |i: usize| {
            let path = &measured.photographs[i];
            path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
        };
        let evaluation = &measured.evaluation;
        let picture = |i: usize| {
            let (a, b) = measured.pairs[i];
            Ok(PicturePair {
                a: cropper.png(a)?,
                b: cropper.png(b)?,
                name_a: name(a),
                name_b: name(b),
                distance: evaluation.distances[i],
                wrong: evaluation.is_wrong(i, evaluation.figures.threshold),
            })
        };
        of.into_iter().map(picture).collect()
    }
}
