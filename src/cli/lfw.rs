//! `warpface lfw`: the whole protocol, from photographs to figures and a page.

mod page;
mod pairs;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use super::context::{AlignArgs, CropArgs, DetectArgs, Globals, Model, create_folder, progress};
use super::photos::{self, GivenCrops, Tally};
use super::pipeline::{Lane, Pipeline, Work};
use super::{Outcome, output};
use crate::error::Field;
use crate::eval::{self, EvalOptions, Evaluation, Figures};
use crate::face::{Aligner, Detector, Face};
use crate::image::{self, Rgb8};
use crate::ops::Metric;
use crate::{Error, files};
use pairs::{Asked, PairsArgs, Source};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: warpface lfw lfw/ --pairs pairs.txt --model model.safetensors --align similarity")]
pub struct Args {
    /// The photographs: a folder per person, or one of insightface's .bin sets, which has its pairs in it (its
    /// photographs are crops: --aligned takes them as they are)
    #[arg(value_name = "DIR|FILE.bin")]
    folder: PathBuf,
    #[command(flatten)]
    pairs: PairsArgs,
    /// The photographs are crops already
    #[arg(long)]
    aligned: bool,
    /// Embed each crop and its mirror image, and join the two
    #[arg(long)]
    flip: bool,
    /// Subtract the training folds' mean embedding
    #[arg(long)]
    subtract_mean: bool,
    /// How distances are measured: squared Euclidean (0 to 4), or angle over pi (0 to 1)
    #[arg(long, default_value_t = Metric::Euclidean, value_name = "euclidean|cosine")]
    distance: Metric,
    /// Crops embedded at once
    #[arg(long, default_value_t = 64, value_name = "N")]
    batch_size: usize,
    /// Photographs in which no face is found: leave their pairs out, or take the middle of the photograph
    #[arg(long, value_enum, default_value_t = OnMissing::Skip)]
    on_missing: OnMissing,
    #[command(flatten)]
    align: AlignArgs,
    /// Write one self-contained page: figures, ROC, histograms, the hardest pairs
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    #[command(flatten)]
    crops: CropArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnMissing {
    /// Leave the pair out
    Skip,
    /// Embed the middle of the photograph
    CenterCrop,
}

/// The share of the shorter side that the middle of a photograph takes: about what a face with its margin does in LFW.
const CENTER: f64 = 0.64;

/// Seconds in each part of the work.
#[derive(Serialize)]
struct Seconds {
    decode: f64,
    detect: f64,
    align: f64,
    embed: f64,
    evaluate: f64,
    total: f64,
}

impl Seconds {
    fn of(tally: &Tally, evaluate: Duration, total: Duration) -> Self {
        Seconds {
            decode: tally.decode.as_secs_f64(),
            detect: tally.detect.as_secs_f64(),
            align: tally.align.as_secs_f64(),
            embed: tally.embed.as_secs_f64(),
            evaluate: evaluate.as_secs_f64(),
            total: total.as_secs_f64(),
        }
    }

    /// Each with its name.
    fn named(&self) -> [(String, f64); 6] {
        let Seconds { decode, detect, align, embed, evaluate, total } = *self;
        [
            ("decode", decode),
            ("detect", detect),
            ("align", align),
            ("embed", embed),
            ("evaluate", evaluate),
            ("total", total),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }
}

/// A run of the protocol, as it is reported.
struct Measured<'a> {
    /// What the photographs are called.
    photographs: &'a [PathBuf],
    /// The pairs whose photographs both have an embedding.
    pairs: Vec<(usize, usize)>,
    evaluation: Evaluation,
    /// Photographs with an embedding.
    images: usize,
    skipped: Vec<String>,
    /// Photographs whose middle was taken.
    middles: Vec<String>,
    seconds: Seconds,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    figures: &'a Figures,
    images: usize,
    skipped: &'a [String],
    center_cropped: &'a [String],
    seconds: &'a Seconds,
}

/// What it takes to make a photograph's crop.
struct Cropper<'a> {
    detector: Option<Detector>,
    given: GivenCrops,
    aligner: Aligner,
    on_missing: OnMissing,
    images: &'a Source,
}

/// Of each photograph its embedding, or `None`.
type OfPhotographs = Vec<Option<Vec<f32>>>;

/// What was made of a photograph.
struct Cropped {
    /// `None` where there is no face.
    crop: Option<Rgb8>,
    /// Whether it is only the middle.
    middle: bool,
    /// Why a face could not be cut out.
    failure: Option<Error>,
}

impl Cropper<'_> {
    /// The crop that a photograph is about, given its faces.
    fn crop(&self, index: usize, photo: &Rgb8, faces: &[Face]) -> Cropped {
        if self.detector.is_none() {
            return Cropped { crop: Some(self.given.input(photo)), middle: false, failure: None };
        }
        let (crop, failure) = match photos::main_crop(photo, faces, &self.aligner) {
            Ok(crop) => (crop, None),
            Err(error) => (None, Some(photos::of_photo(&self.images.names()[index], &error))),
        };
        match crop {
            None if self.on_missing == OnMissing::CenterCrop => {
                Cropped { crop: Some(self.middle(photo)), middle: true, failure }
            }
            crop => Cropped { crop, middle: false, failure },
        }
    }

    fn middle(&self, photo: &Rgb8) -> Rgb8 {
        let side = ((photo.width().min(photo.height()) as f64 * CENTER).round() as usize).max(1);
        let size = self.aligner.alignment().size;
        image::resize_bilinear_pillow(&image::center_crop(photo, side), size, size)
    }

    /// The crop of one photograph once more, as a PNG file's bytes: cheaper than keeping all.
    fn png(&self, index: usize) -> crate::Result<Vec<u8>> {
        let photo = self.images.decode(index)?;
        let faces = self.detector.as_ref().map_or(Ok(Vec::new()), |detector| detector.detect_one(&photo))?;
        let crop = self.crop(index, &photo, &faces).crop;
        image::encode_png(&crop.unwrap_or_else(|| Rgb8::black(1, 1)))
    }
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let start = Instant::now();
        let options = self.detect.options()?;
        self.crops.check(self.aligned)?;
        self.align.check()?;
        if self.batch_size == 0 {
            return Err(Error::invalid(Field("batch_size"), "a batch holds at least one crop").into());
        }
        let asked = self.pairs.read(&self.folder)?;
        let device = globals.open_device()?;
        let model = globals.open_model(&device, &self.crops)?;
        let detector = if self.aligned { None } else { Some(globals.open_detector(&device, &options)?) };
        let aligned = self.aligned.then_some(std::slice::from_ref(&self.folder));
        let aligner = self.align.aligner(&model, globals, aligned)?;
        let given = self.crops.given(&model);
        let cropper = Cropper { detector, given, aligner, on_missing: self.on_missing, images: &asked.source };
        let mut tally = Tally::default();
        let measured = self.measure(&model, &cropper, &asked, &mut tally, start)?;
        if let Some(path) = &self.report {
            let page = self.page(&model, &device.to_string(), &cropper, &measured)?;
            if let Some(parent) = path.parent() {
                create_folder(parent)?;
            }
            files::write(path, page)?;
            eprintln!("report: {}", path.display());
        }
        print(globals, &measured)?;
        Ok(if tally.failures.is_empty() && asked.missing.is_empty() { Outcome::Done } else { Outcome::Partly })
    }

    /// Embeds and evaluates; `start` is when the command began.
    fn measure<'a>(
        &self,
        model: &Model,
        cropper: &Cropper,
        asked: &'a Asked,
        tally: &mut Tally,
        start: Instant,
    ) -> Result<Measured<'a>> {
        let mut skipped: Vec<String> = asked.missing.iter().map(|name| format!("{name}: not there")).collect();
        let (embeddings, middles) = self.embed(model, cropper, tally, &mut skipped)?;
        skipped.extend(tally.failures.iter().map(Error::to_string));

        let evaluating = Instant::now();
        let has_both = |p: &&eval::ResolvedPair| [p.a, p.b].iter().all(|&i| embeddings[i].is_some());
        let kept: Vec<_> = asked.pairs.iter().filter(has_both).collect();
        let evaluation = self.evaluate(model, asked, &kept, &embeddings)?;
        Ok(Measured {
            photographs: asked.source.names(),
            pairs: kept.iter().map(|p| (p.a, p.b)).collect(),
            evaluation,
            images: embeddings.iter().flatten().count(),
            skipped,
            middles,
            seconds: Seconds::of(tally, evaluating.elapsed(), start.elapsed()),
        })
    }

    /// The figures of the pairs whose photographs both have an embedding.
    fn evaluate(
        &self,
        model: &Model,
        asked: &Asked,
        kept: &[&eval::ResolvedPair],
        embeddings: &OfPhotographs,
    ) -> crate::Result<Evaluation> {
        let join = |pick: fn(&eval::ResolvedPair) -> usize| -> Vec<f32> {
            kept.iter().flat_map(|pair| embeddings[pick(pair)].iter().flatten().copied()).collect()
        };
        let same: Vec<bool> = kept.iter().map(|pair| pair.same).collect();
        let folds = self.pairs.check_folds(asked, &same)?;
        let dim = model.embedder.dim() * if self.flip { 2 } else { 1 };
        let options = EvalOptions { folds, metric: self.distance, subtract_mean: self.subtract_mean };
        eval::evaluate(&join(|p| p.a), &join(|p| p.b), dim, &same, &options)
    }

    /// Each photograph's embedding, or `None`; and the photographs whose middle was taken.
    fn embed(
        &self,
        model: &Model,
        cropper: &Cropper,
        tally: &mut Tally,
        skipped: &mut Vec<String>,
    ) -> Result<(OfPhotographs, Vec<String>)> {
        let names = cropper.images.names();
        let mut embeddings: OfPhotographs = vec![None; names.len()];
        let mut middles = Vec::new();
        let bar = progress(names.len(), "lfw");
        let (embedder, detector) = (&model.embedder, cropper.detector.as_ref());
        let pipeline = Pipeline::one(Lane { device: "", embedder, detector }, self.batch_size, &bar);
        let mut failures = Vec::new();
        let work = Work {
            decode: |i| cropper.images.decode(i),
            cut: |index: usize, photo: &Rgb8, faces: &[Face]| {
                let Cropped { crop, middle, failure } = cropper.crop(index, photo, faces);
                let mirrored = crop.as_ref().filter(|_| self.flip).map(image::flip_horizontal);
                ((middle, failure), crop.into_iter().chain(mirrored).collect())
            },
            tell: |index: usize, done: crate::Result<((bool, Option<Error>), &[f32])>| {
                let name = || names[index].display().to_string();
                let ((middle, failure), rows) = match done {
                    Ok(done) => done,
                    Err(error) => {
                        failures.push(error);
                        return Ok(());
                    }
                };
                failures.extend(failure);
                match rows {
                    [] => skipped.push(format!("{}: no face found", name())),
                    rows => embeddings[index] = Some(rows.to_vec()),
                }
                if middle {
                    middles.push(name());
                }
                Ok(())
            },
        };
        pipeline.run(names.len(), tally, work)?;
        tally.failures.extend(failures);
        bar.finish_and_clear();
        Ok((embeddings, middles))
    }
}

/// Tells what was left out, then the figures.
fn print(globals: &Globals, measured: &Measured) -> Result<()> {
    let Measured { evaluation: Evaluation { figures, .. }, images, skipped, middles, seconds, .. } = measured;
    skipped.iter().for_each(|line| eprintln!("skipped: {line}"));
    let mut out = output::stdout();
    if globals.json {
        return output::json_line(
            &mut out,
            &Line { figures, images: *images, skipped, center_cropped: middles, seconds },
        );
    }
    writeln!(
        out,
        "pairs      {} of {images} photographs; {} left out",
        figures.pairs,
        output::count(skipped.len(), "photograph")
    )?;
    if !middles.is_empty() {
        writeln!(out, "middle     taken of {}: {}", output::count(middles.len(), "photograph"), middles.join(", "))?;
    }
    writeln!(out, "accuracy   {:.5} +- {:.5}", figures.accuracy.mean, figures.accuracy.std)?;
    let [val, std, far, auc, eer] =
        [figures.val.mean, figures.val.std, figures.val.far, figures.auc, figures.eer].map(output::figure);
    writeln!(out, "VAL        {val} +- {std} @ FAR = {far}")?;
    writeln!(out, "AUC        {auc}")?;
    writeln!(out, "EER        {eer}")?;
    writeln!(out, "threshold  {:.3}", figures.threshold)?;
    let Seconds { decode, detect, align, embed, evaluate, total } = seconds;
    writeln!(
        out,
        "seconds    {total:.2}: decode {decode:.2}, detect {detect:.2}, align {align:.2}, embed {embed:.2}, evaluate {evaluate:.2}"
    )?;
    Ok(out.flush()?)
}
