//! `warpface threshold`, and the thresholds that other commands go by.

mod saved;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::context::{Globals, create_folder};
use super::faces::{Faces, FacesArgs};
use super::{Outcome, output};
use crate::error::{Field, message};
use crate::eval::report::threshold::{ThresholdPage, html};
use crate::eval::threshold::{best_thresholds, labelled_pairs};
use crate::eval::{Chosen, LabelledPair, ThresholdOptions, Thresholds};
use crate::image::name_of;
use crate::ops::Metric;
use crate::weights::sha256;
use crate::{Error, files};

pub use saved::of_model;

/// Which of the thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// The best by accuracy.
    Accuracy,
    /// The best by F1.
    F1,
    /// The highest at the false accept rate.
    Far,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  warpface threshold crops/ --aligned --far 0.001 --report threshold.html --save\n  \
                        warpface compare a.jpg b.jpg    # goes by what was saved"
)]
pub struct Args {
    #[command(flatten)]
    faces: FacesArgs,
    /// How distances are measured: squared Euclidean (0 to 4), or angle over pi (0 to 1)
    #[arg(long, default_value_t = Metric::Euclidean, value_name = "euclidean|cosine")]
    distance: Metric,
    /// The share of pairs of different people that may be accepted
    #[arg(long, default_value_t = 1e-3, value_name = "RATE")]
    far: f64,
    /// How often people are drawn for the intervals; 0 makes none
    #[arg(long, default_value_t = 1000, value_name = "N")]
    resamples: usize,
    /// Draws people for the intervals, and pairs where there are more than --max-pairs
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// Pairs of each kind that are measured at most
    #[arg(long, default_value_t = 500_000, value_name = "N")]
    max_pairs: usize,
    /// A page with histogram, curves and ROC
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Make one of them the default of the model, in a file beside it
    #[arg(long, value_name = "accuracy|f1|far", num_args = 0..=1, require_equals = true, default_missing_value = "accuracy")]
    save: Option<By>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        if !(0.0..1.0).contains(&self.far) {
            return Err(Error::invalid(Field("far"), format!("{} is no rate: 0 to below 1", self.far)).into());
        }
        let device = globals.open_device()?;
        let faces = self.faces.embed(globals, &device, "threshold")?;
        let options = ThresholdOptions {
            metric: self.distance,
            far: self.far,
            resamples: self.resamples,
            seed: self.seed,
            most: self.max_pairs,
        };
        let embeddings = &faces.embeddings;
        let measured = device.install(|| -> crate::Result<_> {
            let pairs = labelled_pairs(embeddings.as_slice(), embeddings.dim(), &faces.labels, &options)?;
            let best = best_thresholds(&pairs, &options)?;
            Ok((pairs, best))
        });
        if measured.is_err() {
            // What could not be read may be why.
            output::list_failures(faces.len(), &faces.failures);
        }
        let (pairs, best) = measured?;
        if (best.different as f64) * self.far < 1.0 {
            let count = output::count(best.different, "pair");
            eprintln!("{count} of different people cannot tell a rate of {}: none of them is accepted", self.far);
        }
        if let Some(path) = &self.report {
            self.write_page(path, &faces, &pairs, &best)?;
        }
        let saved = self.save.map(|by| self.save(globals, by, &faces, &best)).transpose()?;
        self.print(globals, &best, saved.as_deref())?;
        Ok(output::list_failures(faces.len() + faces.without_face.len(), &faces.failures))
    }

    fn write_page(&self, path: &Path, faces: &Faces, pairs: &[LabelledPair], best: &Thresholds) -> Result<()> {
        let left_out = faces.without_face.iter().map(|path| format!("{}: no face found", path.display()));
        let failed = faces.failures.iter().map(Error::to_string);
        let model = faces.origin.as_ref().map_or("unknown".to_owned(), |origin| origin.model.clone());
        let chosen = [("model", model), ("distance", self.distance.to_string()), ("faces", faces.len().to_string())];
        let page = html(&ThresholdPage {
            title: &self.faces.paths.iter().map(|path| name_of(path)).collect::<Vec<_>>().join(", "),
            chosen: &chosen.map(|(name, value)| (name.to_owned(), value)),
            thresholds: best,
            pairs,
            skipped: &left_out.chain(failed).collect::<Vec<_>>(),
        });
        if let Some(parent) = path.parent() {
            create_folder(parent)?;
        }
        files::write(path, page)?;
        eprintln!("report: {}", path.display());
        Ok(())
    }

    /// Keeps a threshold beside the model.
    fn save(&self, globals: &Globals, by: By, faces: &Faces, best: &Thresholds) -> Result<PathBuf> {
        let asked = globals.model.clone().filter(|_| faces.model.is_none());
        let (Some(model), Some(origin)) = (faces.model.clone().or(asked), &faces.origin) else {
            let problem =
                message!["the model that made these embeddings is not here: name its file by ", Field("model")];
            return Err(Error::invalid(Field("save"), problem).into());
        };
        if sha256::model(&model)? != origin.sha256 {
            return Err(Error::weights(&model, "is not the file that made these embeddings, though its name is").into());
        }
        let (chosen, what) = self.chosen(by, best);
        if best.accuracy.score <= 0.5 || chosen.threshold <= 0.0 {
            let problem = "these faces tell nobody apart: no threshold is better than a guess, and none is kept";
            return Err(Error::invalid(Field("save"), problem).into());
        }
        let folders: Vec<String> = self.faces.paths.iter().map(|path| name_of(path)).collect();
        let origin_of_threshold = format!("{what}, of {} people in {}", best.people, folders.join(", "));
        let threshold = saved::Threshold { distance: chosen.threshold, origin: origin_of_threshold };
        saved::save(&model, &origin.sha256, self.distance, &threshold)
    }

    fn chosen<'a>(&self, by: By, best: &'a Thresholds) -> (&'a Chosen, String) {
        match by {
            By::Accuracy => (&best.accuracy, "best by accuracy".to_owned()),
            By::F1 => (&best.f1, "best by F1".to_owned()),
            By::Far => (&best.far, format!("at a false accept rate of {}", self.far)),
        }
    }

    fn print(&self, globals: &Globals, best: &Thresholds, saved: Option<&Path>) -> Result<()> {
        let mut out = output::stdout();
        if globals.json {
            let mut line = serde_json::to_value(best).map_err(std::io::Error::from)?;
            line["metric"] = json!(self.distance);
            line["saved"] = json!(saved.map(output::path));
            return output::json_line(&mut out, &line);
        }
        let (pairs, people) = (best.same + best.different, best.people);
        writeln!(out, "pairs     {pairs}: {} of one person, {} of two, {people} people", best.same, best.different)?;
        for by in [By::Accuracy, By::F1, By::Far] {
            let (chosen, what) = self.chosen(by, best);
            let score = match by {
                By::Far => format!("accepts {:.5} of one person", chosen.score),
                _ => format!("{:.5}", chosen.score),
            };
            let interval = match chosen.low.is_nan() {
                true => String::new(),
                false => format!(", 95 % of resamples {:.4} to {:.4}", chosen.low, chosen.high),
            };
            writeln!(out, "{:<9} {what}: {score}{interval}", format!("{:.4}", chosen.threshold))?;
        }
        if let Some(path) = saved {
            writeln!(out, "saved in {}", path.display())?;
        }
        Ok(out.flush()?)
    }
}
