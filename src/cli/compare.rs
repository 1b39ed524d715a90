//! `warpface compare`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::context::{AlignArgs, CropArgs, DetectArgs, Globals, Model, progress};
use super::photos::{self, Photo, Tally};
use super::{Outcome, output, threshold};
use crate::Error;
use crate::error::Field;
use crate::face::{Aligner, Detector};
use crate::image::Rgb8;
use crate::ops::Metric;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Two photographs or more
    #[arg(required = true, num_args = 2.., value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// Nearer than this is the same person [default: what fits the model]
    #[arg(long)]
    threshold: Option<f64>,
    /// How distances are measured: squared Euclidean (0 to 4), or angle over pi (0 to 1)
    #[arg(long, default_value_t = Metric::Euclidean, value_name = "euclidean|cosine")]
    distance: Metric,
    /// The photographs are crops already
    #[arg(long)]
    aligned: bool,
    #[command(flatten)]
    align: AlignArgs,
    #[command(flatten)]
    crops: CropArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

/// The threshold in use, and where it comes from.
fn threshold(asked: Option<f64>, distance: Metric, model: &Model) -> Result<(f64, String)> {
    if let Some(asked) = asked {
        return Ok((asked, "as asked".to_owned()));
    }
    let hash = model.embedder.published().map(|entry| entry.sha256.as_str());
    let usual = threshold::of_model(Some(&model.path), hash, distance)?;
    Ok((usual.distance, usual.origin))
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        self.crops.check(self.aligned)?;
        self.align.check()?;
        if let Some(threshold) = self.threshold.filter(|threshold| !threshold.is_finite()) {
            return Err(Error::invalid(Field("threshold"), format!("{threshold} is no distance")).into());
        }
        let device = globals.open_device()?;
        let model = globals.open_model(&device, &self.crops)?;
        let aligner = self.align.aligner(&model, globals, self.aligned.then_some(&[]))?;
        let detector = if self.aligned { None } else { Some(globals.open_detector(&device, &options)?) };
        let mut tally = Tally::default();
        let (embeddings, kept) = self.embed(&model, detector.as_ref(), &aligner, &mut tally)?;

        let metric = self.distance;
        let wide: Vec<Vec<f64>> = embeddings.iter().map(|e| e.iter().map(|&x| x.into()).collect()).collect();
        let matrix: Vec<Vec<f64>> = wide.iter().map(|a| wide.iter().map(|b| metric.distance(a, b)).collect()).collect();
        let (threshold, origin) = threshold(self.threshold, self.distance, &model)?;
        let mut out = output::stdout();
        if globals.json {
            let kept: Vec<String> = kept.iter().map(output::path).collect();
            let pairs: Vec<_> = pairs(kept.len())
                .map(|(i, j)| json!({ "a": kept[i], "b": kept[j], "distance": matrix[i][j], "same": matrix[i][j] < threshold }))
                .collect();
            let line = json!({
                "images": kept, "metric": metric, "distances": matrix, "pairs": pairs,
                "threshold": threshold, "threshold_origin": origin, "model": output::path(&model.path),
            });
            output::json_line(&mut out, &line)?;
        } else {
            print(&mut out, &kept, &matrix, threshold)?;
            writeln!(out, "threshold {threshold:.3}: {origin}")?;
            out.flush()?;
        }
        let outcome = output::list_failures(kept.len(), &tally.failures);
        Ok(if kept.len() < 2 { Outcome::Nothing } else { outcome })
    }

    /// The embeddings of the photographs with a face, and which they are.
    fn embed(
        &self,
        model: &Model,
        detector: Option<&Detector>,
        aligner: &Aligner,
        tally: &mut Tally,
    ) -> Result<(Vec<Vec<f32>>, Vec<&Path>)> {
        let (given, mut embeddings, mut kept) = (self.crops.given(model), Vec::new(), Vec::new());
        let bar = progress(self.photos.len(), "compare");
        photos::for_each_chunk(&self.photos, model.embedder.device(), &bar, tally, |chunk, tally| {
            for photo in chunk {
                let path = self.photos[photo.index].as_path();
                let crop = match detector {
                    None => Ok(Some(given.input(&photo.image))),
                    Some(detector) => main_face(detector, photo, path, aligner, tally)?,
                };
                match crop {
                    Ok(Some(crop)) => {
                        embeddings.push(model.embedder.embed_one(&crop)?);
                        kept.push(path);
                    }
                    Ok(None) => tally
                        .failures
                        .push(Error::image(path, "no face found; is it upright and at least 20 pixels wide?")),
                    Err(error) => tally.failures.push(photos::of_photo(path, &error)),
                }
            }
            Ok(())
        })?;
        Ok((embeddings, kept))
    }
}

/// The crop of the large and central face, or what is wrong with its landmarks; a device's error ends the run.
fn main_face(
    detector: &Detector,
    photo: &Photo,
    path: &Path,
    aligner: &Aligner,
    tally: &mut Tally,
) -> Result<crate::Result<Option<Rgb8>>> {
    let faces = photos::detect(detector, std::slice::from_ref(photo), tally)?;
    if faces[0].len() > 1 {
        eprintln!("{}: {} faces; the large and central one is compared", path.display(), faces[0].len());
    }
    Ok(photos::main_crop(&photo.image, &faces[0], aligner))
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}

fn print(out: &mut impl Write, paths: &[&Path], matrix: &[Vec<f64>], threshold: f64) -> std::io::Result<()> {
    for (i, path) in paths.iter().enumerate() {
        writeln!(out, "{i:>3}  {}", path.display())?;
    }
    write!(out, "\n    ")?;
    (0..paths.len()).try_for_each(|j| write!(out, "{j:>8}"))?;
    for (i, row) in matrix.iter().enumerate() {
        write!(out, "\n{i:>4}")?;
        row.iter().try_for_each(|distance| write!(out, "{distance:>8.4}"))?;
    }
    writeln!(out, "\n")?;
    for (i, j) in pairs(paths.len()) {
        let verdict = if matrix[i][j] < threshold { "same person" } else { "different people" };
        writeln!(out, "{verdict:<17} {:.4}  {}  {}", matrix[i][j], paths[i].display(), paths[j].display())?;
    }
    Ok(())
}
